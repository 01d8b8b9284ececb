#pragma once
// turnpike token encode|decode: RFC 7635 tokens by hand, to set up a peer or to look into what one sends.

#include <cstdint>
#include <optional>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"
#include "program/answer.hpp"
#include "program/options.hpp"

namespace turnpike::program {

struct TokenKeyOptions {
  std::string key;  // base64
  std::string algorithm = "A256GCM";
  std::string server_name;
  std::optional<std::string> kid;
  bool derive = false;  // `key` is a master; the kid's own key is derived from it
};

struct TokenEncodeOptions {
  TokenKeyOptions sealing;
  std::string mac_key;                     // base64
  std::optional<std::string> nonce;        // base64; unset: 12 random bytes
  std::optional<std::uint64_t> timestamp;  // as on the wire
  std::optional<std::uint64_t> issued_at;  // seconds since 1970
  std::uint64_t lifetime = 3600;
  bool hex = false;
};

struct TokenDecodeOptions {
  TokenKeyOptions sealing;
  std::string token;  // base64 or base64url
  std::optional<std::uint64_t> at;
  bool hex = false;
};

Answer encode_token_by_hand(const TokenEncodeOptions& options, WallTime wall, Random& random);
Answer decode_token_by_hand(const TokenDecodeOptions& options, WallTime wall);

void add_token_command(Command root);

}  // namespace turnpike::program
