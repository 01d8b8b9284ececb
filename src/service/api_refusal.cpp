#include "service/api_refusal.hpp"

#include <array>

namespace turnpike::service {
namespace {

struct Words {
  std::string_view name;
  unsigned status;
  std::string_view title;
};

constexpr std::array<Words, api_refusal_count> words{{
    {"not_found", 404, "there is nothing at this path"},
    {"method_not_allowed", 405, "this method is not for this resource"},
    {"bad_request", 400, "a parameter is missing or cannot be used"},
    {"unsupported_body", 415, "the body is of another type"},
    {"origin_not_allowed", 403, "pages of this origin may not ask here"},
    {"nothing_shown", 401, "show an API key, a token or a certificate"},
    {"unknown_key", 401, "this API key is not known"},
    {"unknown_certificate", 403, "this certificate names no caller"},
    {"token_not_taken", 401, "tokens are not taken here"},
    {"token_invalid", 401, "the token is not valid"},
    {"token_unchecked", 503, "the token could not be checked in time"},
    {"token_not_trusted", 403, "the token is not of a party that is trusted here"},
    {"user_not_allowed", 403, "the caller may not speak for this user"},
    {"too_many_from_source", 429, "too many requests from this address"},
    {"too_many_from_caller", 429, "too many requests of this caller"},
    {"too_many_for_user", 429, "too many requests for this user"},
    {"too_many_users", 503, "there is no room for another user"},
    {"no_relay", 503, "no relay can be used"},
    {"no_source", 503, "no credential can be made"},
    {"not_acknowledged", 503, "no relay has taken the credential in time"},
}};

const Words& words_of(ApiRefusal refusal) { return words.at(static_cast<std::size_t>(refusal)); }

}  // namespace

std::string_view to_string(ApiRefusal refusal) { return words_of(refusal).name; }
unsigned status_of(ApiRefusal refusal) { return words_of(refusal).status; }
std::string_view title_of(ApiRefusal refusal) { return words_of(refusal).title; }

}  // namespace turnpike::service
