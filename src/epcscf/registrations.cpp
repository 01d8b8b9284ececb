#include "epcscf/registrations.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "epcscf/identities.hpp"

namespace turnpike::epcscf {

bool Registration::has_identity(std::string_view canonical) const {
  return std::ranges::find(impus, canonical) != impus.end();
}

Registration* Registrations::find(RegistrationId id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

Registration* Registrations::find(const RegistrationKey& key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : find(found->second);
}

// In the order of their numbers, whatever the hash table does.
std::vector<RegistrationId> Registrations::of_flow(FlowId flow) const {
  std::vector<RegistrationId> found;
  const auto [begin, end] = by_flow_.equal_range(flow);
  for (auto at = begin; at != end; ++at) found.push_back(at->second);
  std::ranges::sort(found);
  return found;
}

std::vector<RegistrationId> Registrations::of_token(const std::string& key) const {
  std::vector<RegistrationId> found;
  const auto [begin, end] = by_token_.equal_range(key);
  for (auto at = begin; at != end; ++at) found.push_back(at->second);
  std::ranges::sort(found);
  return found;
}

std::vector<RegistrationId> Registrations::of_impi(std::string_view impi) const {
  std::vector<RegistrationId> found;
  for (auto at = by_key_.lower_bound(RegistrationKey{.impi = std::string{impi}});
       at != by_key_.end() && at->first.impi == impi; ++at)
    found.push_back(at->second);
  return found;
}

std::vector<RegistrationId> Registrations::of_identity(std::string_view canonical) const {
  std::vector<RegistrationId> found;
  const auto [begin, end] = by_identity_.equal_range(canonical);
  for (auto at = begin; at != end; ++at) found.push_back(at->second);
  return found;
}

std::size_t Registrations::count_of_flow(FlowId flow) const { return by_flow_.count(flow); }
std::size_t Registrations::count_of_impi(std::string_view impi) const { return of_impi(impi).size(); }

Registration& Registrations::add(RegistrationKey key, FlowId flow) {
  const RegistrationId id{++last_id_};
  by_key_.emplace(key, id);
  Registration& registration = by_id_[id];
  registration.id = id;
  registration.key = std::move(key);
  registration.flow = flow;
  by_flow_.emplace(flow, id);
  ends_.emplace(registration.ends_at(), id);
  return registration;
}

void Registrations::move(Registration& registration, FlowId to) {
  const auto [begin, end] = by_flow_.equal_range(registration.flow);
  by_flow_.erase(
      std::find_if(begin, end, [&](const auto& entry) { return entry.second == registration.id; }));
  by_flow_.emplace(to, registration.id);
  std::vector<FlowId>& former = former_flows_[registration.id];
  former.push_back(registration.flow);
  if (former.size() > former_flows_max) {
    successors_.erase(former.front());
    former.erase(former.begin());
  }
  for (const FlowId lost : former) successors_[lost] = to;
  successors_.erase(to);
  registration.flow = to;
}

void Registrations::set_end(Registration& registration, Instant expires_at,
                            std::optional<Instant> given_up_at) {
  ends_.erase({registration.ends_at(), registration.id});
  registration.expires_at = expires_at;
  registration.given_up_at = given_up_at;
  ends_.emplace(registration.ends_at(), registration.id);
}

void Registrations::set_identities(Registration& registration, std::vector<std::string> uris) {
  unindex_identities(registration);
  registration.impus.clear();
  for (const std::string& uri : uris) registration.impus.push_back(canonical_identity(uri));
  registration.impu_uris = std::move(uris);
  index_identities(registration);
}

void Registrations::index_identities(const Registration& registration) {
  std::set<std::string> distinct{registration.impus.begin(), registration.impus.end()};
  distinct.insert(registration.key.aor);
  for (const std::string& identity : distinct) by_identity_.emplace(identity, registration.id);
}

void Registrations::unindex_identities(const Registration& registration) {
  const auto forget = [&](const std::string& identity) {
    const auto [begin, end] = by_identity_.equal_range(identity);
    for (auto at = begin; at != end;) at = at->second == registration.id ? by_identity_.erase(at) : ++at;
  };
  for (const std::string& identity : registration.impus) forget(identity);
  forget(registration.key.aor);
}

void Registrations::set_token(Registration& registration, std::string key) {
  if (registration.token == key) return;
  unindex_token(registration);
  registration.token = std::move(key);
  if (!registration.token.empty()) by_token_.emplace(registration.token, registration.id);
}

void Registrations::unindex_token(const Registration& registration) {
  const auto [begin, end] = by_token_.equal_range(registration.token);
  const auto found =
      std::find_if(begin, end, [&](const auto& entry) { return entry.second == registration.id; });
  if (found != end) by_token_.erase(found);
}

void Registrations::remove(RegistrationId id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  const Registration& registration = found->second;
  unindex_identities(registration);
  unindex_token(registration);
  ends_.erase({registration.ends_at(), id});
  by_key_.erase(registration.key);
  const auto [begin, end] = by_flow_.equal_range(registration.flow);
  by_flow_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == id; }));
  if (const auto former = former_flows_.find(id); former != former_flows_.end()) {
    for (const FlowId lost : former->second) successors_.erase(lost);
    former_flows_.erase(former);
  }
  by_id_.erase(found);
}

std::optional<FlowId> Registrations::find_successor(FlowId lost) const {
  const auto found = successors_.find(lost);
  return found == successors_.end() ? std::nullopt : std::optional{found->second};
}

std::vector<FlowId> Registrations::former_flows(RegistrationId id) const {
  const auto found = former_flows_.find(id);
  return found == former_flows_.end() ? std::vector<FlowId>{} : found->second;
}

std::optional<Instant> Registrations::next_timeout() const {
  return ends_.empty() ? std::nullopt : std::optional{ends_.begin()->first};
}

std::optional<RegistrationId> Registrations::find_due(Instant now) const {
  if (ends_.empty() || ends_.begin()->first > now) return std::nullopt;
  return ends_.begin()->second;
}

}  // namespace turnpike::epcscf
