#pragma once
// What a request to the credential API (docs/credential-api.md) says, in each of the spellings that the
// services before it have: the query of draft-uberti-behave-turn-rest-00, a form, or a JSON object.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "provisioning/provision.hpp"
#include "service/http_server.hpp"

namespace turnpike::service {

// Which members an answer has: all of them, or those of one service alone, for clients that take no others.
enum class ApiFormat : std::uint8_t { all, draft, ice_servers, twilio, matrix, xep0215 };

struct ApiOrder {
  std::string user{};  // whose credentials; empty: nobody's, or the holder of the token
  provisioning::Request wish{};
  ApiFormat format = ApiFormat::all;
};

struct ApiWithdrawal {  // exactly one of them is set
  std::string user{};
  std::string username{};  // one credential, by its name
};

struct ApiRequestError {
  bool is_unsupported_body = false;  // its media type is none of ours
  std::string words{};               // what was found and what is allowed; no secrets
};

// A parameter stands in the query or in the body; where in both, the query's counts. Those that are unknown
// are passed over.
std::expected<ApiOrder, ApiRequestError> read_api_order(const ServedRequest& request);
std::expected<ApiWithdrawal, ApiRequestError> read_api_withdrawal(const ServedRequest& request);

inline constexpr std::size_t api_user_bytes_max = 255;

// "Basic aWQ6c2VjcmV0" and "Bearer ey..."; `scheme` in any case. Nothing for other schemes.
std::optional<std::string_view> find_authorization(const ServedRequest& request, std::string_view scheme);

}  // namespace turnpike::service
