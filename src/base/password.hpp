#pragma once
// Passwords of people as they are kept: scrypt (RFC 7914) over OpenSSL, in the PHC string form
//
//   $scrypt$ln=15,r=8,p=3$SALT$HASH      salt and hash in base64 without padding
//
// To make or check one takes a tenth of a second and 32 MiB on purpose: not on a loop that others wait for.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/secret.hpp"

namespace turnpike {

struct PasswordCost {
  std::uint32_t log2_n = 15;  // memory: 128 * r * 2^log2_n bytes
  std::uint32_t r = 8;
  std::uint32_t p = 3;
  bool operator==(const PasswordCost&) const = default;
};

std::string hash_password(const Secret& password, const PasswordCost& cost, Random& random);

// What no password matches, and what takes as long to find out: for names that nobody has.
std::string make_decoy_hash(const PasswordCost& cost);

// False also for text that is no such hash, or one that would take more than 256 MiB or 16 passes.
bool matches_password(const Secret& password, std::string_view stored);

}  // namespace turnpike
