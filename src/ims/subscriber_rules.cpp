#include "ims/subscriber_rules.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "ims/identity.hpp"

namespace turnpike::ims {
namespace {

constexpr std::size_t impus_max = 32;  // of one implicit registration set
constexpr std::size_t identity_bytes_max = 255;
constexpr std::size_t set_bytes_max = 4096;  // of them together, for P-Associated-URI is one row
constexpr std::size_t key_size = 16;
constexpr std::uint64_t sqn_max = (std::uint64_t{1} << 48) - 1;

// TS 23.003 section 13.3: a network access identifier. What a header quotes or a log line splits is no part
// of it.
bool is_private_identity(std::string_view impi) {
  const std::size_t at = impi.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == impi.size() || impi.size() > identity_bytes_max)
    return false;
  if (impi.find('@', at + 1) != std::string_view::npos) return false;
  return std::all_of(impi.begin(), impi.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != ':';
  });
}

std::string found(std::string_view what, std::string_view value, std::string_view allowed) {
  return std::string{what} + ": found \"" + std::string{value} + "\", allowed: " + std::string{allowed};
}

std::optional<std::string> find_key_problem(const Subscriber& subscriber) {
  if (!subscriber.digest && !subscriber.aka) return "no credential, allowed: a password, or K and OPc";
  if (subscriber.digest && subscriber.digest->ha1_md5.size() != 2 * key_size)
    return "the HA1 for MD5 has " + std::to_string(subscriber.digest->ha1_md5.size()) +
           " digits, allowed: 32";
  if (subscriber.digest && !subscriber.digest->ha1_sha256.empty() &&
      subscriber.digest->ha1_sha256.size() != 4 * key_size)
    return "the HA1 for SHA-256 has " + std::to_string(subscriber.digest->ha1_sha256.size()) +
           " digits, allowed: 64";
  if (!subscriber.aka) return std::nullopt;
  if (subscriber.aka->k.size() != key_size)
    return "K has " + std::to_string(subscriber.aka->k.size()) + " bytes, allowed: 16";
  if (subscriber.aka->opc.size() != key_size)
    return "OPc has " + std::to_string(subscriber.aka->opc.size()) + " bytes, allowed: 16";
  if (subscriber.aka->sqn > sqn_max) return "SQN is above 48 bits";
  return std::nullopt;
}

}  // namespace

Subscriber normalized(Subscriber subscriber) {
  for (std::string& impu : subscriber.impus)
    if (auto identity = public_identity(impu)) impu = *std::move(identity);
  return subscriber;
}

std::optional<std::string> find_problem(const Subscriber& subscriber) {
  if (!is_private_identity(subscriber.impi))
    return found("private identity", subscriber.impi, "user@domain without white space, quotes and colons");
  if (subscriber.impus.empty() || subscriber.impus.size() > impus_max)
    return "found " + std::to_string(subscriber.impus.size()) + " public identities, allowed: 1 to " +
           std::to_string(impus_max);
  std::set<std::string_view> seen;
  std::size_t bytes = 0;
  for (const std::string& impu : subscriber.impus) {
    if (impu.size() > identity_bytes_max || public_identity(impu) != impu)
      return found("public identity", impu, "sip:user@domain or tel:+number");
    bytes += impu.size();
    if (!seen.insert(impu).second) return found("public identity", impu, "each one once");
  }
  if (bytes > set_bytes_max)
    return "public identities: found " + std::to_string(bytes) +
           " bytes together, allowed: " + std::to_string(set_bytes_max);
  if (subscriber.pool.size() > identity_bytes_max ||
      std::any_of(subscriber.pool.begin(), subscriber.pool.end(),
                  [](char c) { return c <= ' ' || c >= 0x7f; }))
    return found("pool", subscriber.pool, "the name of a WWSF without white space");
  return find_key_problem(subscriber);
}

}  // namespace turnpike::ims
