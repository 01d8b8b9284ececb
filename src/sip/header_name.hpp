#pragma once
// The header names that this code reads or writes, with their compact forms (RFC 3261 section 7.3.3 and the
// documents that defined later ones). Other names stay text.

#include <cstdint>
#include <string_view>

namespace turnpike::sip {

enum class HeaderName : std::uint8_t {
  other,  // any name that is not listed
  accept,
  accept_contact,
  allow,
  allow_events,
  authentication_info,
  authorization,
  call_id,
  contact,
  content_encoding,
  content_length,
  content_type,
  cseq,
  date,
  event,
  expires,
  feature_caps,
  flow_timer,
  from,
  max_forwards,
  min_expires,
  min_se,
  p_access_network_info,
  p_asserted_identity,
  p_associated_uri,
  p_charging_function_addresses,
  p_charging_vector,
  p_preferred_identity,
  p_visited_network_id,
  path,
  privacy,
  proxy_authenticate,
  proxy_authorization,
  proxy_require,
  rack,
  reason,
  record_route,
  refer_to,
  referred_by,
  reject_contact,
  replaces,
  request_disposition,
  require,
  retry_after,
  route,
  rseq,
  security_client,
  security_server,
  security_verify,
  server,
  service_route,
  session_expires,
  subject,
  subscription_state,
  supported,
  timestamp,
  to,
  turn_credentials,
  unsupported,
  user_agent,
  via,
  warning,
  www_authenticate,
};
inline constexpr std::size_t header_name_count = static_cast<std::size_t>(HeaderName::www_authenticate) + 1;

// Whatever its case, in full or compact.
HeaderName find_header_name(std::string_view text);
// In full, as the RFC writes it; empty for `other`.
std::string_view to_string(HeaderName name);

}  // namespace turnpike::sip
