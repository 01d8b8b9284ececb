#include "credentials/computed_passwords.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;

struct PasswordVector {
  std::string_view secret, username, password, key_md5;
};

TEST(ComputedPassword, PassesKnownVectors) {
  for (const auto& [secret, username, password, key_md5] :
       {PasswordVector{"logen", "1433895918:ninefingers",
                       "HY+Vd729N0UZ/xCzjg1F0GsoMK8=", "18159031758733a0750057762b738911"},
        PasswordVector{"s3cr3t-turn-key", "1893456000:impi-3f2a@ims.example",
                       "teJwk4ql4rrsQZ01U/Q+SmpDWss=", "ac17003af82e14033b971a235f539844"},
        PasswordVector{"s3cr3t-turn-key", "1893456000",
                       "qjrZdM194KFt9/q+Y2gVjWqAQik=", "a44fc0ffbef611dd6528074995197fb5"}}) {
    const Secret made = make_computed_password(Secret::from_text(secret), ComputedDigest::sha1, username);
    EXPECT_EQ(made.reveal_text(), password);
    const Key key = make_long_term_key(PasswordAlgorithm::md5, username, test_realm, password);
    EXPECT_EQ(to_hex(key.reveal()), key_md5);
  }
}

TEST(ComputedPassword, HasASha256Flavour) {
  constexpr std::string_view username = "1893456000:impi-3f2a@ims.example";
  const Secret secret = Secret::from_text("s3cr3t-turn-key");
  EXPECT_EQ(make_computed_password(secret, ComputedDigest::sha256, username).reveal_text(),
            "JQlDo1RUqt+Ab87B0e24H7kUKQupcuE1HPxjYv1mXAs=");
  EXPECT_EQ(to_hex(make_long_term_key(PasswordAlgorithm::sha256, username, test_realm,
                                      "teJwk4ql4rrsQZ01U/Q+SmpDWss=")
                       .reveal()),
            "58567f2d0554048ea7a6439a345b9f409904196573021b5c3dffc073bdb95492");
}

TEST(ComputedName, SplitsAtTheFirstColon) {
  const auto name = parse_computed_name("1893456000:@user:example.com");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->id, "@user:example.com");
  EXPECT_EQ(name->refused_from, test_wall + 1s);
}

TEST(ComputedName, MayBeTheExpiryAlone) {
  EXPECT_EQ(parse_computed_name("1893456000")->refused_from, test_wall + 1s);
  EXPECT_EQ(parse_computed_name("1893456000")->id, "");
  EXPECT_EQ(parse_computed_name("1893456000:")->id, "");
  EXPECT_EQ(parse_computed_name("0:x")->refused_from, from_unix_seconds(1));
}

TEST(ComputedName, BeginsWithDecimalDigits) {
  for (const std::string_view text : {"", ":", ":1893456000:x", "alice:1893456000", "alice", "-1:x", "+1:x",
                                      " 1:x", "1 :x", "0x10:x", "1e9:x", "18934560.0:x", "\xd9\xa1:x"})
    EXPECT_FALSE(parse_computed_name(text)) << text;
}

TEST(ComputedName, ReachesBeyond32And64Bits) {
  EXPECT_EQ(parse_computed_name("4102444800:x")->refused_from, from_unix_seconds(4102444801));  // in 2100
  for (const std::string_view late : {"99999999999:x", "18446744073709551614:x", "18446744073709551615:x",
                                      "18446744073709551616:x", "999999999999999999999999999999999:x"})
    EXPECT_EQ(parse_computed_name(late)->refused_from, WallTime::max()) << late;
}

}  // namespace
}  // namespace turnpike::credentials
