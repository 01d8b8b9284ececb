#pragma once
// Sealer encrypts what must not stand in a file as it is: AES-256-GCM (RFC 5116) under a key that is kept
// elsewhere. A box is 12 random bytes, the ciphertext, and the tag; it opens under its own name alone.

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace turnpike::store {

class Sealer {
 public:
  static constexpr std::size_t key_size = 32;
  static std::expected<Sealer, std::string> make(const Secret& key);

  [[nodiscard]] ByteVector seal(std::string_view name, Bytes secret);
  // Nothing under another key or name, or where it was changed.
  [[nodiscard]] std::optional<Secret> open(std::string_view name, Bytes box) const;

 private:
  explicit Sealer(Secret key) : key_(std::move(key)) {}
  Secret key_;
  SystemRandom random_;
};

}  // namespace turnpike::store
