#include "credentials/sources.hpp"

#include <algorithm>
#include <bitset>

#include "base/bytes.hpp"

namespace turnpike::credentials {
namespace {

std::size_t count_distinct(Bytes bytes) {
  std::bitset<256> seen;
  for (const Byte byte : bytes) seen.set(byte);
  return seen.count();
}

bool is_control_or_space(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte <= ' ' || byte == 0x7f;
}

}  // namespace

std::optional<std::string> find_problem(const ComputedSecret& secret) {
  if (secret.id.find_first_of(".:") != std::string::npos) return "the id contains '.' or ':'";
  if (std::ranges::any_of(secret.id, is_control_or_space))
    return "the id contains a space or control character";
  if (secret.secret.size() < computed_secret_min)
    return "the secret has " + std::to_string(secret.secret.size()) + " bytes, at least " +
           std::to_string(computed_secret_min) + " are needed";
  if (count_distinct(secret.secret.reveal()) < secret_variety_min)
    return "the secret consists of fewer than " + std::to_string(secret_variety_min) +
           " different characters";
  return std::nullopt;
}

std::optional<std::string> find_problem(const TokenKey& key) {
  if (key.kid.empty()) return "the kid is empty";
  if (key.kid.size() > username_bytes_max)
    return "the kid has " + std::to_string(key.kid.size()) + " bytes, at most " +
           std::to_string(username_bytes_max) + " fit a USERNAME";
  if (std::ranges::any_of(key.kid, is_control_or_space))
    return "the kid contains a space or control character";
  if (key.key.size() != key_size(key.algorithm))
    return "the key has " + std::to_string(key.key.size()) + " bytes, " +
           std::string{to_string(key.algorithm)} + " needs " + std::to_string(key_size(key.algorithm));
  if (count_distinct(key.key.reveal()) < secret_variety_min)
    return "the key consists of fewer than " + std::to_string(secret_variety_min) + " different bytes";
  if (key.not_before >= key.not_after) return "the key ends before it begins";
  return std::nullopt;
}

}  // namespace turnpike::credentials
