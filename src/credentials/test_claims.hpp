#pragma once
// Words of this folder's tests: a moment, a proof that holds under one key, the bytes of a hex text.

#include <gtest/gtest.h>

#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"

namespace turnpike::credentials {

inline constexpr std::string_view test_realm = "ims.example";
inline const WallTime test_wall = from_unix_seconds(1'893'456'000);

inline ByteVector hex(std::string_view text) {
  const auto bytes = from_hex(text);
  EXPECT_TRUE(bytes) << text;
  return bytes.value_or(ByteVector{});
}

// Stands for a request that was signed with `key`; counts how often it was asked.
class Signed {
 public:
  explicit Signed(const Key& key) : key_(key) {}
  bool operator()(Bytes tried) {
    ++asked_;
    return equal(tried, key_.reveal());
  }
  [[nodiscard]] unsigned asked() const { return asked_; }

 private:
  Key key_;
  unsigned asked_ = 0;
};

inline Signed signed_by(std::string_view username, std::string_view password,
                        PasswordAlgorithm algorithm = PasswordAlgorithm::md5) {
  return Signed{make_long_term_key(algorithm, username, test_realm, password)};
}

}  // namespace turnpike::credentials
