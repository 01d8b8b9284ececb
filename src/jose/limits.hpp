#pragma once
// What a stranger may make grow in a token, and an issuer in its key set.

#include <cstddef>

namespace turnpike::jose {

struct Limits {
  std::size_t token_bytes_max = 8192;   // compact serialization
  std::size_t header_bytes_max = 2048;  // decoded
  std::size_t json_depth_max = 8;
  std::size_t json_values_max = 512;  // of a token
  std::size_t key_set_bytes_max = std::size_t{256} * 1024;
  std::size_t key_set_values_max = 4096;
  std::size_t keys_max = 64;
};

// RFC 7518: section 3.3 (RSA from 2048 bits), section 3.2 (HMAC keys as long as the hash). What is above 8192
// bits costs more to verify than a token is worth.
inline constexpr std::size_t rsa_bytes_min = 256, rsa_bytes_max = 1024, rsa_exponent_bytes_max = 8;
inline constexpr std::size_t shared_secret_bytes_min = 32;

}  // namespace turnpike::jose
