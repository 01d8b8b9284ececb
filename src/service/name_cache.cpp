#include "service/name_cache.hpp"

#include "service/addresses.hpp"

namespace turnpike::service {

std::optional<IpAddress> NameCache::parse_literal(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return IpAddress::parse(host);
}

bool NameCache::make_room(Instant now) {
  if (entries_.size() < limits_.names_max) return true;
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.second.known_until && *entry.second.known_until <= now;
  });
  return entries_.size() < limits_.names_max;
}

void NameCache::resolve(const std::string& host, std::string bytes, Resolved resolved) {
  const Instant now = read_clocks().mono;
  auto found = entries_.find(host);
  if (found != entries_.end() && found->second.known_until && *found->second.known_until > now)
    return resolved(found->second.address, std::move(bytes));
  const bool is_asked = found != entries_.end() && !found->second.known_until;
  if (found == entries_.end()) {
    if (!make_room(now)) return resolved(std::nullopt, std::move(bytes));
    found = entries_.try_emplace(host).first;
  }
  Entry& entry = found->second;
  if (entry.waiting_bytes + bytes.size() > limits_.waiting_bytes_max)
    return resolved(std::nullopt, std::move(bytes));
  entry.known_until.reset();
  entry.waiting_bytes += bytes.size();
  entry.waiting.emplace_back(std::move(bytes), std::move(resolved));
  if (!is_asked) ask(host);
}

void NameCache::ask(const std::string& host) {
  resolver_.async_resolve(host, "", [this, host](const ErrorCode& error, const auto& results) {
    if (error == asio::error::operation_aborted) return;
    if (error || results.empty()) return on_answer(host, std::nullopt);
    on_answer(host, to_ip(results.begin()->endpoint().address()));
  });
}

void NameCache::on_answer(const std::string& host, std::optional<IpAddress> address) {
  const auto found = entries_.find(host);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.address = address;
  entry.known_until = read_clocks().mono + (address ? limits_.name_lifetime : limits_.name_failure_lifetime);
  entry.waiting_bytes = 0;
  for (auto& [bytes, resolved] : std::exchange(entry.waiting, {})) resolved(address, std::move(bytes));
}

std::vector<std::string> NameCache::names_of(const IpAddress& address) const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_)
    if (entry.address == address) names.push_back(name);
  return names;
}

}  // namespace turnpike::service
