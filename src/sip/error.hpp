#pragma once
// Why a message, or a part of it, was not understood: a value that names the header and can become the
// answer.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "sip/header_name.hpp"

namespace turnpike::sip {

enum class Defect : std::uint8_t {
  // The whole message
  empty,                // nothing but line ends, which is a keep-alive (RFC 5626 section 3.5.1)
  message_too_long,     // answered with 513
  no_start_line,        // neither a request nor a response
  unsupported_version,  // answered with 505
  malformed_request_line,
  malformed_request_uri,
  uri_headers_in_request,  // RFC 3261 section 19.1.1: a Request-URI has none
  end_of_headers_missing,  // half a message
  header_without_colon,
  fold_before_headers,
  illegal_character,  // a bare CR or LF or another control character
  too_many_headers,
  header_too_long,
  // One header, which ParseError names
  missing,
  malformed,
  repeated,         // RFC 3261 section 7.3.1: a header that is no list stands once
  too_many_values,  // or parameters
  body_too_short,   // Content-Length promises more than there is
  body_too_long,    // more follows than it promises: over a WebSocket, where a message stands alone
  method_mismatch,  // CSeq and the request line differ
  too_many_hops,    // Max-Forwards is 0, answered with 483
};

struct ParseError {
  Defect defect{};
  HeaderName header = HeaderName::other;

  // What a response to this says: 400, 483, 505 or 513.
  [[nodiscard]] std::uint16_t status_code() const;
  [[nodiscard]] std::string reason_phrase() const;
  bool operator==(const ParseError&) const = default;
};

template <typename T>
using Parsed = std::expected<T, ParseError>;

inline std::unexpected<ParseError> missing(HeaderName name) {
  return std::unexpected(ParseError{Defect::missing, name});
}
inline std::unexpected<ParseError> malformed(HeaderName name) {
  return std::unexpected(ParseError{Defect::malformed, name});
}

// The reason phrases of RFC 3261 section 21 and its extensions; "" for a code that is not known.
std::string_view standard_reason(std::uint16_t status_code);

}  // namespace turnpike::sip
