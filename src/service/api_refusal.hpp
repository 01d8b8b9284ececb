#pragma once
// How the credential API says no (docs/credential-api.md): the word for programs, the status, and what it
// means.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turnpike::service {

enum class ApiRefusal : std::uint8_t {
  not_found,
  method_not_allowed,
  bad_request,
  unsupported_body,
  origin_not_allowed,
  nothing_shown,
  unknown_key,
  unknown_certificate,
  token_not_taken,
  token_invalid,
  token_unchecked,
  token_not_trusted,
  user_not_allowed,
  too_many_from_source,
  too_many_from_caller,
  too_many_for_user,
  too_many_users,
  no_relay,
  no_source,
  not_acknowledged,
};
inline constexpr std::size_t api_refusal_count = 20;

std::string_view to_string(ApiRefusal refusal);  // "unknown_key": the "error" of an answer
unsigned status_of(ApiRefusal refusal);
std::string_view title_of(ApiRefusal refusal);

}  // namespace turnpike::service
