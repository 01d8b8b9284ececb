// What the door has names for, and whose pages may come in.
#include <algorithm>

#include "service/door.hpp"

namespace turnpike::service {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](unsigned char character) {
    return character >= 'A' && character <= 'Z' ? character + ('a' - 'A') : int{character};
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// "https://web.ims.example:8443" -> "web.ims.example", "[::1]:8443" -> "[::1]".
std::string_view host_of(std::string_view authority) {
  if (const auto scheme = authority.find("://"); scheme != std::string_view::npos)
    authority.remove_prefix(scheme + 3);
  const auto bracket = authority.find(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return authority.substr(0, colon);
}

}  // namespace

bool is_origin_allowed(const std::vector<std::string>& origins, std::string_view origin,
                       std::string_view host) {
  if (origins.empty())
    return origin.find("://") != std::string_view::npos && !host.empty() &&
           equal_ignoring_case(host_of(origin), host_of(host));
  return std::ranges::any_of(origins, [&](const std::string& allowed) {
    return allowed == "*" || equal_ignoring_case(allowed, origin);
  });
}

std::string_view to_string(DoorRefusal refusal) {
  constexpr std::array<std::string_view, door_refusal_count> names{
      "too_many",          "too_many_of_source", "too_fast",   "not_tls",    "not_cleartext",
      "tls_failed",        "bad_request",        "no_upgrade", "wrong_path", "wrong_origin",
      "wrong_subprotocol", "timed_out",          "hung_up"};
  return names[static_cast<std::size_t>(refusal)];
}

std::string_view to_string(DoorEnd end) {
  constexpr std::array<std::string_view, door_end_count> names{
      "client",        "idle",  "slow",    "too_many_messages", "message_too_large",
      "not_websocket", "asked", "stopping"};
  return names[static_cast<std::size_t>(end)];
}

}  // namespace turnpike::service
