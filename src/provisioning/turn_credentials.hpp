#pragma once
// The header Turn-Credentials of W2 (docs/turn-credentials.md), in both directions:
//
//   request   Turn-Credentials: request;ttl=600;type="oauth"
//   answer    Turn-Credentials:
//   <turn:turn1.ims.example:3478?transport=udp>;username="..";password="..";ttl=3720
//
// A malformed request is no request: the registration goes on, and the reason is told.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "provisioning/provision.hpp"
#include "sip/message.hpp"

namespace turnpike::provisioning {

inline constexpr std::string_view turn_credentials_name = "Turn-Credentials";

struct TurnCredentialsLimits {
  std::size_t row_bytes_max = 6000;  // of a row that we write: parsers in use take 8192 with the name
  std::size_t values_max = 64;       // of an answer that we read
};

enum class TurnCredentialsDefect : std::uint8_t {
  malformed,       // not the grammar of the header
  no_request,      // well-formed, and something else than a request
  bad_parameter,   // a known parameter with a value that it cannot have
  too_many,        // more than one request, or more values than the limit
  no_turn_uri,     // an answer: what stands in the brackets is none
  no_credentials,  // an answer: a value without what its type needs
};
std::string_view to_string(TurnCredentialsDefect defect);  // "malformed", ...

// One value of a header, "request" with its parameters; those that are unknown are passed over.
std::expected<Request, TurnCredentialsDefect> parse_request(std::string_view value);
// That of a message. Nothing when it has no such header.
std::optional<std::expected<Request, TurnCredentialsDefect>> find_request(const sip::Message& message);
std::string format_request(const Request& request);

// The values of as many rows as they need, one as a rule. Contain secrets.
std::vector<std::string> format_answer(const Provision& provision, const TurnCredentialsLimits& limits = {});
// One row's value. Neighbours that differ in nothing but the URI become one entry. The form of each entry
// decides what it must have; push and source stay empty; ends are in whole seconds.
std::expected<Provision, TurnCredentialsDefect> parse_answer(std::string_view value, WallTime wall,
                                                             const TurnCredentialsLimits& limits = {});
// All rows of a message. Nothing when it has no such header.
std::optional<std::expected<Provision, TurnCredentialsDefect>> find_answer(const sip::Message& message,
                                                                           WallTime wall);

}  // namespace turnpike::provisioning
