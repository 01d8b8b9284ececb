#include "base/password.hpp"

#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <optional>

#include "base/check.hpp"
#include "base/crypto.hpp"

namespace turnpike {
namespace {

constexpr std::string_view scheme = "$scrypt$";
constexpr std::size_t salt_size = 16, hash_size = 32;
constexpr std::uint64_t memory_max = std::uint64_t{256} << 20;
constexpr std::uint32_t passes_max = 16;

using Hash = std::array<Byte, hash_size>;

struct Stored {
  PasswordCost cost{};
  ByteVector salt{};
  ByteVector hash{};
};

std::optional<std::uint32_t> take_number(std::string_view& text, std::string_view name) {
  if (!text.starts_with(name)) return std::nullopt;
  text.remove_prefix(name.size());
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool is_affordable(const PasswordCost& cost) {
  return cost.log2_n >= 1 && cost.log2_n <= 24 && cost.r >= 1 && cost.r <= 32 && cost.p >= 1 &&
         cost.p <= passes_max && (std::uint64_t{128} * cost.r << cost.log2_n) <= memory_max;
}

std::string to_unpadded_base64(Bytes bytes) {
  std::string text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::optional<ByteVector> from_unpadded_base64(std::string_view text) {
  std::string padded{text};
  while (padded.size() % 4 != 0) padded += '=';
  return from_base64(padded);
}

std::optional<Stored> parse(std::string_view text) {
  if (!text.starts_with(scheme)) return std::nullopt;
  text.remove_prefix(scheme.size());
  const auto log2_n = take_number(text, "ln="), r = take_number(text, ",r="), p = take_number(text, ",p=");
  if (!log2_n || !r || !p || !text.starts_with('$')) return std::nullopt;
  text.remove_prefix(1);
  const auto dollar = text.find('$');
  if (dollar == std::string_view::npos) return std::nullopt;
  auto salt = from_unpadded_base64(text.substr(0, dollar));
  auto hash = from_unpadded_base64(text.substr(dollar + 1));
  const PasswordCost cost{.log2_n = *log2_n, .r = *r, .p = *p};
  if (!salt || salt->empty() || !hash || hash->size() != hash_size || !is_affordable(cost))
    return std::nullopt;
  return Stored{.cost = cost, .salt = std::move(*salt), .hash = std::move(*hash)};
}

std::string format(const PasswordCost& cost, Bytes salt, Bytes hash) {
  return std::string{scheme} + "ln=" + std::to_string(cost.log2_n) + ",r=" + std::to_string(cost.r) +
         ",p=" + std::to_string(cost.p) + '$' + to_unpadded_base64(salt) + '$' + to_unpadded_base64(hash);
}

Hash derive(const Secret& password, Bytes salt, const PasswordCost& cost) {
  check(is_affordable(cost), "a password hash takes at most 256 MiB and 16 passes");
  Hash hash;
  const std::string_view text = password.reveal_text();
  check(EVP_PBE_scrypt(text.data(), text.size(), salt.data(), salt.size(), std::uint64_t{1} << cost.log2_n,
                       cost.r, cost.p, memory_max + (std::uint64_t{1} << 20), hash.data(), hash.size()) == 1,
        "scrypt has its memory");
  return hash;
}

}  // namespace

std::string hash_password(const Secret& password, const PasswordCost& cost, Random& random) {
  const auto salt = random.draw<salt_size>();
  return format(cost, salt, derive(password, salt, cost));
}

std::string make_decoy_hash(const PasswordCost& cost) {
  return format(cost, std::array<Byte, salt_size>{}, Hash{});
}

bool matches_password(const Secret& password, std::string_view stored) {
  const auto parsed = parse(stored);
  return parsed && crypto::equal_in_constant_time(derive(password, parsed->salt, parsed->cost), parsed->hash);
}

}  // namespace turnpike
