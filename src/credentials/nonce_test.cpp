#include "credentials/nonce.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/random.hpp"
#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;

constexpr Duration lifetime = 600s;
const SocketAddress client{IpAddress::v4({192, 0, 2, 7}), 50000};

NonceMint make_mint(SecurityFeatures features = {}, std::string_view key = "nonce key of the tests") {
  return {Secret::from_text(key), lifetime, features};
}

struct AnnouncedFeatures {
  SecurityFeatures features;
  std::string_view prefix;
  std::size_t size;
};

TEST(Nonce, AnnouncesItsFeaturesInTheCookie) {
  // RFC 8489 section 9.2: bit 0 is the most significant one.
  for (const auto& [features, prefix, size] :
       {AnnouncedFeatures{{false, false}, "", 16}, AnnouncedFeatures{{true, false}, "obMatJos2gAAA", 29},
        AnnouncedFeatures{{false, true}, "obMatJos2QAAA", 29},
        AnnouncedFeatures{{true, true}, "obMatJos2wAAA", 29}}) {
    const Nonce nonce = make_mint(features).mint(client, test_wall);
    EXPECT_TRUE(nonce.text().starts_with(prefix)) << nonce.text();
    EXPECT_EQ(nonce.text().size(), size);
    EXPECT_EQ(features_of_nonce(nonce.text()), features);
    EXPECT_EQ(make_mint(features).verify(nonce.text(), client, test_wall), NonceVerdict::valid);
  }
}

TEST(Nonce, OfAnotherServerIsReadTolerantly) {
  EXPECT_EQ(features_of_nonce("obMatJos2gAAA0123456789abcdef"), (SecurityFeatures{true, false}));
  // RFC 8489 appendix B.1 sets a low bit that no specification names.
  EXPECT_EQ(features_of_nonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"), SecurityFeatures{});
  EXPECT_EQ(features_of_nonce("obMatJos2w//+"), (SecurityFeatures{true, true}));
  EXPECT_EQ(features_of_nonce("obMatJos2w__-"), (SecurityFeatures{true, true}));
  EXPECT_EQ(features_of_nonce("obMatJos2gAA"), SecurityFeatures{});
  EXPECT_EQ(features_of_nonce("obMatJos2g A="), SecurityFeatures{});
  EXPECT_EQ(features_of_nonce("obmatjos2gAAA"), SecurityFeatures{});
  EXPECT_EQ(features_of_nonce("x obMatJos2gAAA"), SecurityFeatures{});
  EXPECT_EQ(features_of_nonce(""), SecurityFeatures{});
}

TEST(Nonce, IsBoundToTheClientsAddress) {
  const NonceMint mint = make_mint();
  const Nonce nonce = mint.mint(client, test_wall);
  EXPECT_EQ(mint.verify(nonce.text(), {client.ip, 50001}, test_wall), NonceVerdict::stale);
  EXPECT_EQ(mint.verify(nonce.text(), {IpAddress::v4({192, 0, 2, 8}), 50000}, test_wall),
            NonceVerdict::stale);
  const auto mapped = IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7});
  EXPECT_EQ(mint.verify(nonce.text(), {mapped, 50000}, test_wall), NonceVerdict::valid);
  const auto v6 = IpAddress::v6({192, 0, 2, 7});
  EXPECT_EQ(mint.verify(nonce.text(), {v6, 50000}, test_wall), NonceVerdict::stale);
}

TEST(Nonce, GetsStaleWithItsLifetime) {
  const NonceMint mint = make_mint();
  const Nonce nonce = mint.mint(client, test_wall);
  EXPECT_EQ(mint.verify(nonce.text(), client, test_wall + lifetime - 1s), NonceVerdict::valid);
  EXPECT_EQ(mint.verify(nonce.text(), client, test_wall + lifetime), NonceVerdict::stale);
  EXPECT_EQ(mint.verify(nonce.text(), client, test_wall + 24h * 365), NonceVerdict::stale);
}

TEST(Nonce, OfTheFutureIsStale) {
  const NonceMint mint = make_mint();
  const Nonce nonce = mint.mint(client, test_wall);
  EXPECT_EQ(mint.verify(nonce.text(), client, test_wall - 1s), NonceVerdict::stale);
}

TEST(Nonce, SurvivesTheEndOf32BitTime) {
  const NonceMint mint = make_mint();
  const WallTime last = from_unix_seconds(0xffffffff);  // in 2106
  const Nonce nonce = mint.mint(client, last);
  EXPECT_EQ(mint.verify(nonce.text(), client, last + 10s), NonceVerdict::valid);
  EXPECT_EQ(mint.verify(nonce.text(), client, last + lifetime), NonceVerdict::stale);
}

TEST(Nonce, OfAnotherKeyOrOtherFeaturesIsStale) {
  const Nonce plain = make_mint().mint(client, test_wall);
  EXPECT_EQ(make_mint({}, "another key").verify(plain.text(), client, test_wall), NonceVerdict::stale);
  // A bid-down: the same stamp and tag without the cookie.
  const Nonce announced = make_mint({true, false}).mint(client, test_wall);
  EXPECT_EQ(make_mint().verify(announced.text().substr(13), client, test_wall), NonceVerdict::stale);
  const std::string renamed = "obMatJos2wAAA" + std::string{announced.text().substr(13)};
  EXPECT_EQ(make_mint({true, true}).verify(renamed, client, test_wall), NonceVerdict::stale);
}

TEST(Nonce, ThatIsNotOursIsStale) {
  const NonceMint mint = make_mint({true, false});
  const std::string nonce{mint.mint(client, test_wall).text()};
  for (std::size_t size = 0; size < nonce.size(); ++size)
    EXPECT_EQ(mint.verify(nonce.substr(0, size), client, test_wall), NonceVerdict::stale) << size;
  EXPECT_EQ(mint.verify(nonce + "A", client, test_wall), NonceVerdict::stale);
  for (std::size_t at = 0; at < nonce.size(); ++at) {
    for (const char other : {'A', '_', '=', '\0', '\xff'}) {
      std::string changed = nonce;
      changed[at] = other;
      if (changed == nonce) continue;
      EXPECT_EQ(mint.verify(changed, client, test_wall), NonceVerdict::stale) << changed;
    }
  }
}

TEST(Nonce, IsValidForAnyClientThatGotIt) {
  SeededRandom random{20};
  const NonceMint mint = make_mint({true, true});
  for (int i = 0; i < 500; ++i) {
    const bool is_v4 = random.below(2) == 0;
    const IpAddress ip = is_v4 ? IpAddress::v4(random.draw<4>()) : IpAddress::v6(random.draw<16>());
    const SocketAddress somebody{ip, static_cast<std::uint16_t>(random.next_u32())};
    const WallTime minted = from_unix_seconds(random.next_u32());
    const Nonce nonce = mint.mint(somebody, minted);
    EXPECT_EQ(mint.verify(nonce.text(), somebody, minted + std::chrono::seconds{random.below(600)}),
              NonceVerdict::valid);
    EXPECT_EQ(mint.verify(nonce.text(), client, minted), NonceVerdict::stale);
  }
}

}  // namespace
}  // namespace turnpike::credentials
