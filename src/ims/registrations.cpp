#include "ims/registrations.hpp"

#include <algorithm>

#include "sip/text.hpp"
#include "sip/uri.hpp"

namespace turnpike::ims {
namespace {

bool is_same_contact(const Binding& one, const Binding& other) {
  // RFC 5626 section 6: with an instance and a reg-id these name the flow, whatever the URI.
  if (!one.reg_id.empty() && !other.reg_id.empty())
    return one.instance == other.instance && one.reg_id == other.reg_id;
  if (!one.reg_id.empty() || !other.reg_id.empty()) return false;
  const auto a = sip::Uri::parse(one.contact);
  const auto b = sip::Uri::parse(other.contact);
  return a && b && a->is_equivalent_to(*b);
}

}  // namespace

std::string_view to_string(ContactEvent event) {
  switch (event) {
    case ContactEvent::registered:
      return "registered";
    case ContactEvent::refreshed:
      return "refreshed";
    case ContactEvent::shortened:
      return "shortened";
    case ContactEvent::expired:
      return "expired";
    case ContactEvent::deactivated:
      return "deactivated";
    case ContactEvent::probation:
      return "probation";
    case ContactEvent::unregistered:
      return "unregistered";
    case ContactEvent::rejected:
      return "rejected";
  }
  return "";
}

const Binding* Registration::find(const Binding& like) const {
  const auto found = std::find_if(bindings.begin(), bindings.end(),
                                  [&](const Binding& known) { return is_same_contact(known, like); });
  return found == bindings.end() ? nullptr : &*found;
}

const Registration* Registrations::find(std::string_view impi) const {
  const auto found = registrations_.find(impi);
  return found == registrations_.end() ? nullptr : &found->second;
}

const Registration* Registrations::find_public(std::string_view impu) const {
  const auto impi = by_public_.find(impu);
  return impi == by_public_.end() ? nullptr : find(impi->second);
}

void Registrations::bind(std::string_view impi, const std::vector<std::string>& impus,
                         std::vector<Binding> bindings) {
  auto entry = registrations_.find(impi);
  if (entry == registrations_.end())
    entry =
        registrations_.emplace(std::string{impi}, Registration{.impi = std::string{impi}, .impus = {}}).first;
  Registration& registration = entry->second;
  set_public(registration, impus);
  RegistrationChange change;
  for (Binding& binding : bindings) add(registration, std::move(binding), change);
  settle(entry, std::move(change));
}

void Registrations::set_public(Registration& registration, const std::vector<std::string>& impus) {
  for (const std::string& old : registration.impus) {
    const auto known = by_public_.find(old);
    if (known != by_public_.end() && known->second == registration.impi) by_public_.erase(known);
  }
  registration.impus = impus;
  for (const std::string& impu : impus) by_public_.insert_or_assign(impu, registration.impi);
}

void Registrations::add(Registration& registration, Binding binding, RegistrationChange& change) {
  std::vector<Binding>& bindings = registration.bindings;
  const Binding* known = registration.find(binding);
  if (known != nullptr) {
    binding.id = known->id;
    binding.event =
        binding.expires_at < known->expires_at ? ContactEvent::shortened : ContactEvent::refreshed;
    binding.registered_at = known->registered_at;
    timers_.erase({known->expires_at, registration.impi});
    count_edge(known->source.host, false);
    bindings.erase(bindings.begin() + (known - bindings.data()));
  } else {
    binding.id = ++last_id_;
    // Many a browser is closed without a word, and its user shall not be locked out for that.
    if (bindings.size() >= bindings_max_) forget(registration, 0, ContactEvent::rejected, change);
  }
  count_edge(binding.source.host, true);
  bindings.push_back(std::move(binding));
  for (const Binding& each : bindings) timers_.emplace(each.expires_at, registration.impi);
}

void Registrations::unbind(std::string_view impi, const std::vector<std::uint64_t>& ids, ContactEvent event) {
  const auto entry = registrations_.find(impi);
  if (entry == registrations_.end()) return;
  RegistrationChange change;
  std::vector<Binding>& bindings = entry->second.bindings;
  for (std::size_t at = bindings.size(); at-- > 0;)
    if (std::find(ids.begin(), ids.end(), bindings[at].id) != ids.end())
      forget(entry->second, at, event, change);
  if (!change.ended.empty()) settle(entry, std::move(change));
}

bool Registrations::end(std::string_view impi, ContactEvent event) {
  const auto entry = registrations_.find(impi);
  if (entry == registrations_.end()) return false;
  RegistrationChange change;
  while (!entry->second.bindings.empty()) forget(entry->second, 0, event, change);
  settle(entry, std::move(change));
  return true;
}

void Registrations::on_timeout(Now now) {
  while (!timers_.empty() && timers_.begin()->first <= now.mono) {
    const std::string impi = timers_.begin()->second;
    timers_.erase(timers_.begin());
    const auto entry = registrations_.find(impi);
    if (entry == registrations_.end()) continue;
    RegistrationChange change;
    std::vector<Binding>& bindings = entry->second.bindings;
    for (std::size_t at = bindings.size(); at-- > 0;)
      if (bindings[at].expires_at <= now.mono) forget(entry->second, at, ContactEvent::expired, change);
    if (!change.ended.empty()) settle(entry, std::move(change));
  }
}

std::optional<Instant> Registrations::next_timeout() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

void Registrations::forget(Registration& registration, std::size_t at, ContactEvent event,
                           RegistrationChange& change) {
  Binding binding = std::move(registration.bindings[at]);
  registration.bindings.erase(registration.bindings.begin() + static_cast<std::ptrdiff_t>(at));
  const bool is_shared =
      std::any_of(registration.bindings.begin(), registration.bindings.end(),
                  [&](const Binding& other) { return other.expires_at == binding.expires_at; });
  if (!is_shared) timers_.erase({binding.expires_at, registration.impi});
  count_edge(binding.source.host, false);
  binding.event = event;
  change.ended.push_back(std::move(binding));
}

void Registrations::settle(Table::iterator entry, RegistrationChange change) {
  change.registration = entry->second;
  if (change.is_over()) {
    set_public(entry->second, {});
    registrations_.erase(entry);
  }
  changes_.push_back(std::move(change));
}

void Registrations::count_edge(const std::string& host, bool is_more) {
  std::size_t& count = edges_[host];
  count = is_more ? count + 1 : count - 1;
  if (count == 0) edges_.erase(host);
}

}  // namespace turnpike::ims
