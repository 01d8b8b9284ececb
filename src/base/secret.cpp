#include "base/secret.hpp"

#include <openssl/crypto.h>

#include <utility>

namespace turnpike {

void wipe(MutableBytes bytes) {
  if (!bytes.empty()) OPENSSL_cleanse(bytes.data(), bytes.size());
}

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  wipe();
  bytes_ = other.bytes_;
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = std::exchange(other.bytes_, {});
  return *this;
}

bool Secret::equals(Bytes other) const {
  return bytes_.size() == other.size() &&
         (other.empty() || CRYPTO_memcmp(bytes_.data(), other.data(), other.size()) == 0);
}

void Secret::wipe() { turnpike::wipe(bytes_); }

}  // namespace turnpike
