#include "waf/key_ring.hpp"

#include <gtest/gtest.h>

#include "jose/token.hpp"
#include "waf/memory_ledger.hpp"

namespace turnpike::waf {
namespace {

using namespace std::chrono_literals;

constexpr WallTime start{std::chrono::seconds{1'800'000'000}};
constexpr auto day = 24h;
const KeyRules rules{.signs_for = 10 * day, .published_before = day};

struct World {
  MemoryLedger ledger;
  KeyRing ring = *KeyRing::open(ledger);
  bool rotate(WallTime now) { return ring.rotate(ledger, rules, 1h, now); }
  std::string signer(WallTime now) {
    const auto* key = ring.find_signer(now);
    return key == nullptr ? "" : key->kid();
  }
  bool publishes(const std::string& kid, WallTime now) {
    return ring.format_jwks(now).contains('"' + kid + '"');
  }
  bool verifies(const std::string& token) {
    auto read = jose::read_token(token, jose::Limits{});
    return read && jose::verify(std::move(*read), ring.verifiers(), {jose::Algorithm::es256});
  }
};

TEST(KeyRing, BeginsWithAKeyThatSignsAtOnce) {
  World world;
  EXPECT_EQ(world.ring.find_signer(start), nullptr);
  EXPECT_EQ(world.ring.format_jwks(start), R"({"keys":[]})");
  EXPECT_TRUE(world.rotate(start));
  EXPECT_FALSE(world.rotate(start + 1h));
  EXPECT_TRUE(world.publishes(world.signer(start), start));
  EXPECT_TRUE(world.verifies(world.ring.find_signer(start)->sign("at+jwt", "{}")));
}

TEST(KeyRing, PublishesAKeyBeforeItSigns) {
  World world;
  world.rotate(start);
  const std::string first = world.signer(start);
  const std::string token = world.ring.find_signer(start)->sign("at+jwt", "{}");
  std::string second;
  WallTime seen{};
  for (WallTime now = start; now < start + 30 * day; now += 1h) {
    world.rotate(now);
    ASSERT_NE(world.signer(now), "") << "there is always one that signs";
    ASSERT_TRUE(world.publishes(world.signer(now), now));
    if (second.empty() && world.ledger.signing_keys().size() == 2) {
      second = world.ledger.signing_keys().back().kid;
      seen = now;
      EXPECT_EQ(world.signer(now), first);
      EXPECT_TRUE(world.publishes(second, now));
    }
    if (!second.empty() && world.signer(now) == second && seen != WallTime{}) {
      EXPECT_GE(now - seen, day / 2) << "verifiers have had time to fetch it";
      EXPECT_TRUE(world.verifies(token)) << "what the first one signed is still good";
      seen = {};
    }
  }
  EXPECT_FALSE(second.empty());
  EXPECT_FALSE(world.publishes(first, start + 30 * day));
  EXPECT_FALSE(world.verifies(token));
  EXPECT_LE(world.ledger.signing_keys().size(), 2u);
}

TEST(KeyRing, OutlivesItsProcess) {
  World world;
  world.rotate(start);
  const auto again = KeyRing::open(world.ledger);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->find_signer(start)->kid(), world.signer(start));
  EXPECT_EQ(again->format_jwks(start), world.ring.format_jwks(start));
}

TEST(KeyRing, ReplacesAKeyThatHasLeaked) {
  World world;
  world.rotate(start);
  const std::string leaked = world.signer(start);
  const std::string token = world.ring.find_signer(start)->sign("at+jwt", "{}");
  EXPECT_FALSE(world.ring.replace(world.ledger, rules, 1h, "none", start + 1h));
  EXPECT_EQ(world.signer(start + 1h), leaked);
  EXPECT_TRUE(world.ring.replace(world.ledger, rules, 1h, leaked, start + 1h));
  EXPECT_NE(world.signer(start + 1h), leaked);
  EXPECT_NE(world.signer(start + 1h), "");
  EXPECT_FALSE(world.verifies(token));
  EXPECT_FALSE(world.publishes(leaked, start + 1h));
  EXPECT_FALSE(world.rotate(start + 1h)) << "all is done";
  const auto all = world.ledger.last_audit_entries(9);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all.at(1).event, "signing_key_replaced");
  EXPECT_EQ(all.at(1).detail, leaked);
  EXPECT_EQ(all.at(0).event, "signing_key_added");
  EXPECT_EQ(all.at(0).detail, world.signer(start + 1h));
}

TEST(KeyRing, PublishesTheNextKeyWhenItIsTold) {
  World world;
  world.rotate(start);
  const std::string first = world.signer(start);
  const std::string token = world.ring.find_signer(start)->sign("at+jwt", "{}");
  const auto next = world.ring.add_successor(world.ledger, rules, 1h, start + 1h);
  ASSERT_TRUE(next);
  EXPECT_FALSE(world.ring.add_successor(world.ledger, rules, 1h, start + 2h)) << "one waits already";
  EXPECT_TRUE(world.publishes(*next, start + 1h));
  EXPECT_EQ(world.signer(start + 1h), first) << "verifiers fetch it first";
  EXPECT_EQ(world.signer(start + 1h + day), *next);
  EXPECT_TRUE(world.verifies(token));
  EXPECT_FALSE(world.rotate(start + 1h + day));
  EXPECT_TRUE(world.ring.add_successor(world.ledger, rules, 1h, start + 1h + day)) << "and again";
}

TEST(KeyRing, KnowsWhetherAnotherHasTheSameKeys) {
  World world;
  world.rotate(start);
  KeyRing other = *KeyRing::open(world.ledger);
  EXPECT_TRUE(other.has_same_keys(world.ring));
  world.ring.replace(world.ledger, rules, 1h, world.signer(start), start);
  EXPECT_FALSE(other.has_same_keys(world.ring));
  EXPECT_TRUE(KeyRing::open(world.ledger)->has_same_keys(world.ring));
}

TEST(KeyRing, SaysWhichStoredKeyCannotBeUsed) {
  MemoryLedger ledger;
  ledger.put_signing_key({.kid = "k", .jwk = Secret::from_text("{}")});
  EXPECT_EQ(KeyRing::open(ledger).error(), "the signing key k: its alg is none of RS256, PS256 and ES256");
}

struct UnreadableLedger : MemoryLedger {
  std::optional<std::string> take_failure() override { return "waf.db: disk I/O error"; }
};

TEST(KeyRing, DoesNotTakeKeysThatCannotBeReadForNone) {
  UnreadableLedger ledger;
  const auto ring = KeyRing::open(ledger);
  ASSERT_FALSE(ring);
  EXPECT_EQ(ring.error(), "waf.db: disk I/O error");
}

}  // namespace
}  // namespace turnpike::waf
