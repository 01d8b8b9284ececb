#include "waf/refusal.hpp"

#include <fmt/format.h>

#include <utility>

namespace turnpike::waf {
namespace {

unsigned status_of(Error error) {
  if (error == Error::temporarily_unavailable) return 503;
  return error == Error::invalid_client ? 401 : 400;
}

}  // namespace

std::string_view to_string(Error error) {
  switch (error) {
    case Error::invalid_request:
      return "invalid_request";
    case Error::invalid_client:
      return "invalid_client";
    case Error::invalid_grant:
      return "invalid_grant";
    case Error::unauthorized_client:
      return "unauthorized_client";
    case Error::unsupported_grant_type:
      return "unsupported_grant_type";
    case Error::invalid_scope:
      return "invalid_scope";
    case Error::access_denied:
      return "access_denied";
    case Error::unsupported_response_type:
      return "unsupported_response_type";
    case Error::invalid_target:
      return "invalid_target";
    case Error::invalid_dpop_proof:
      return "invalid_dpop_proof";
    case Error::use_dpop_nonce:
      return "use_dpop_nonce";
    case Error::login_required:
      return "login_required";
    case Error::consent_required:
      return "consent_required";
    case Error::request_not_supported:
      return "request_not_supported";
    case Error::request_uri_not_supported:
      return "request_uri_not_supported";
    case Error::temporarily_unavailable:
      return "temporarily_unavailable";
  }
  return "";
}

Response answer(const Refusal& refusal) {
  Response response = answer_json(fmt::format(R"({{"error":"{}","error_description":"{}"}})",
                                              to_string(refusal.error), refusal.description),
                                  status_of(refusal.error));
  // RFC 9110 section 15.5.2: each 401 has a challenge, whatever the client has tried.
  if (response.status == 401)
    response.fields.emplace_back("WWW-Authenticate", R"(Basic realm="waf", charset="UTF-8")");
  return response;
}

Response answer_json(std::string body, unsigned status) {
  return {.status = status,
          .fields = {{"Content-Type", "application/json"},
                     {"Cache-Control", "no-store"},
                     {"Pragma", "no-cache"},
                     {"X-Content-Type-Options", "nosniff"}},
          .body = std::move(body)};
}

Response answer_plain(unsigned status, std::string_view text, Fields fields) {
  Response response{.status = status, .fields = std::move(fields), .body = std::string{text} + '\n'};
  response.fields.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.fields.emplace_back("Cache-Control", "no-store");
  response.fields.emplace_back("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace turnpike::waf
