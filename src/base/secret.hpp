#pragma once
// Secret: bytes that must not be printed, compared in variable time, or left in memory.
// It has no stream operator, no formatter and no comparison but the constant-time one.

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace turnpike {

class Secret {
 public:
  Secret() = default;
  explicit Secret(Bytes bytes) : bytes_(bytes.begin(), bytes.end()) {}
  static Secret from_text(std::string_view text) { return Secret{as_bytes(text)}; }
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  // Named so that each use shows in a search: the bytes leave their protection here.
  [[nodiscard]] Bytes reveal() const { return bytes_; }
  [[nodiscard]] std::string_view reveal_text() const { return as_text(bytes_); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] bool equals(Bytes other) const;  // constant time for equal sizes

 private:
  void wipe();
  ByteVector bytes_;
};

// Wipes memory in a way the compiler does not remove.
void wipe(MutableBytes bytes);

}  // namespace turnpike
