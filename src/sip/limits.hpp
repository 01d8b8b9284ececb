#pragma once
// Everything of a SIP message that a stranger can make grow.

#include <cstddef>

namespace turnpike::sip {

inline constexpr std::size_t message_bytes_bound = 65535;  // offsets within a message have 16 bits
inline constexpr std::size_t headers_bound = 128;          // rows of the index, which lies in the message

struct Limits {
  std::size_t message_bytes_max = message_bytes_bound;  // at most message_bytes_bound
  std::size_t headers_max = headers_bound;              // rows; at most headers_bound
  std::size_t header_bytes_max = 8192;                  // of one row with its name and its folds
  std::size_t values_max = 64;                          // of one header, over all its rows
  std::size_t params_max = 32;                          // of one value or one URI
};

}  // namespace turnpike::sip
