#include "service/api_callers.hpp"

#include <algorithm>
#include <utility>

#include "base/crypto.hpp"
#include "base/glob.hpp"
#include "service/api_request.hpp"

namespace turnpike::service {

ApiCallers::ApiCallers(std::vector<ApiCaller> callers) {
  for (ApiCaller& caller : callers) entries_.push_back({.caller = std::move(caller)});
}

std::expected<ApiCallers::Entry*, ApiCallers::Problem> ApiCallers::find(const ServedRequest& request,
                                                                        bool allows_key_in_query) {
  const auto known = [](Entry* entry) -> std::expected<Entry*, Problem> {
    if (entry == nullptr) return std::unexpected(Problem::unknown_key);
    return entry;
  };
  if (const auto key = request.find("X-API-Key")) return known(find_by_key("", *key));
  if (const auto encoded = find_authorization(request, "Basic")) {
    const auto decoded = from_base64(*encoded);
    const std::string_view pair = decoded ? as_text(*decoded) : std::string_view{};
    const auto colon = pair.find(':');
    if (colon == 0 || colon == std::string_view::npos) return known(nullptr);
    return known(find_by_key(pair.substr(0, colon), pair.substr(colon + 1)));
  }
  if (allows_key_in_query)
    if (const auto key = request.find_query("key")) return known(find_by_key("", *key));
  Entry* entry = find_by_certificate(request.peer);
  if (entry != nullptr) return entry;
  return std::unexpected(request.peer.names.empty() ? Problem::nothing_shown : Problem::unknown_certificate);
}

// Hashes of equal size are compared, with every key that there is.
ApiCallers::Entry* ApiCallers::find_by_key(std::string_view id, std::string_view key) {
  const crypto::Sha256 shown = crypto::sha256(as_bytes(key));
  Entry* found = nullptr;
  for (Entry& entry : entries_) {
    if (entry.caller.key.empty()) continue;
    const bool is_equal = crypto::equal_in_constant_time(shown, crypto::sha256(entry.caller.key.reveal()));
    if (is_equal && (id.empty() || id == entry.caller.id)) found = &entry;
  }
  return found;
}

ApiCallers::Entry* ApiCallers::find_by_certificate(const HttpPeer& peer) {
  for (const std::string& name : peer.names) {
    const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
      const std::string& wanted = entry.caller.certificate;
      return !wanted.empty() && (wanted == "*" || wanted == name);
    });
    if (found != entries_.end()) return &*found;
  }
  return nullptr;
}

bool ApiCallers::has_keys() const {
  return std::ranges::any_of(entries_, [](const Entry& entry) { return !entry.caller.key.empty(); });
}

bool may_speak_for(const ApiCaller& caller, std::string_view user) {
  return caller.users.empty() || std::ranges::any_of(caller.users, [&](const std::string& pattern) {
           return matches_glob(pattern, user);
         });
}

bool may_speak_for_all(const ApiCaller& caller) {
  return caller.users.empty() || std::ranges::find(caller.users, "*") != caller.users.end();
}

}  // namespace turnpike::service
