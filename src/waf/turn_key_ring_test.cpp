#include "waf/turn_key_ring.hpp"

#include <gtest/gtest.h>

#include "credentials/issue.hpp"
#include "waf/memory_ledger.hpp"
#include "waf/mint.hpp"
#include "waf/test_world.hpp"

namespace turnpike::waf {
namespace {

using namespace std::chrono_literals;

constexpr WallTime start{std::chrono::seconds{1'800'000'000}};
constexpr auto day = 24h;

Settings fetching_settings() {
  Settings settings = make_settings();
  settings.turn.clear();
  for (const char* name : {"turn1.ims.example", "turn2.ims.example"})
    settings.turn.push_back(
        {.token = {.server_name = name}, .fetches_keys = true, .certificate_names = {name}});
  settings.turn_keys = {.kid_prefix = "w1-", .used_for = 7 * day, .published_before = day};
  return settings;
}

struct KeyWorld {
  Settings settings = fetching_settings();
  MemoryLedger ledger;
  SeededRandom random{3};
  TurnKeyRing ring = *TurnKeyRing::open(ledger);

  bool rotate(WallTime now) { return ring.rotate(ledger, settings, now, random).value(); }
  void fetch(WallTime now, const char* name = "turn1.ims.example") { ring.note_fetched(ledger, name, now); }
  // The kid of a token that is made now, or "".
  std::string maker(WallTime now, std::size_t server = 0) {
    Settings filled = settings;
    ring.hand_out(filled, now);
    const auto token = credentials::issue_token(filled.turn[server].token, {}, now, 600s, random);
    return token ? token->kid : "";
  }
  std::vector<std::string> published(const char* name = "turn1.ims.example") {
    std::vector<std::string> kids;
    for (const StoredTurnKey* key : ring.keys_of(name))
      if (!key->is_withdrawn) kids.push_back(key->kid);
    return kids;
  }
};

TEST(TurnKeyRing, GivesEachTurnServerAKeyOfItsOwn) {
  KeyWorld world;
  EXPECT_EQ(world.maker(start), "");
  EXPECT_TRUE(world.rotate(start));
  EXPECT_FALSE(world.rotate(start + 1h));
  ASSERT_EQ(world.ring.keys().size(), 2u);
  const StoredTurnKey &one = world.ring.keys()[0], &other = world.ring.keys()[1];
  EXPECT_NE(one.server_name, other.server_name);
  EXPECT_NE(one.kid, other.kid);
  EXPECT_FALSE(one.key.equals(other.key.reveal()));
  EXPECT_EQ(one.key.size(), 32u);
  EXPECT_TRUE(one.kid.starts_with("w1-20270115-")) << one.kid;
  EXPECT_EQ(world.maker(start), world.published().front());
  EXPECT_EQ(world.maker(start, 1), world.published("turn2.ims.example").front());
}

// Whoever fetches twice a day knows the key of each token before it is made, and for as long as it lives.
TEST(TurnKeyRing, PublishesAKeyBeforeItIsUsedAndAcceptsItUntilItsTokensHaveEnded) {
  KeyWorld world;
  std::vector<std::string> known;
  std::size_t makers = 0;
  std::string last;
  for (WallTime now = start; now < start + 60 * day; now += 1h) {
    world.rotate(now);
    if ((now - start) % 12h == 0h) {
      known = world.published();
      world.fetch(now);
    }
    const std::string maker = world.maker(now);
    ASSERT_NE(maker, "");
    ASSERT_NE(std::ranges::find(known, maker), known.end()) << "it is made with what relays know";
    const auto keys = world.ring.keys_of("turn1.ims.example");
    const auto key = std::ranges::find(keys, maker, &StoredTurnKey::kid);
    ASSERT_GE((*key)->accepted_until, now + 600s);
    ASSERT_LE(keys.size(), 3u);
    if (maker != last) ++makers;
    last = maker;
  }
  EXPECT_EQ(makers, 9u) << "one a week";
}

TEST(TurnKeyRing, WritesDownWhatItDoesByItself) {
  KeyWorld world;
  const auto written = [&] {
    std::vector<std::string> events;
    for (const AuditEntry& entry : world.ledger.last_audit_entries(100))
      events.push_back(entry.event + ' ' + entry.detail);
    return events;
  };
  world.settings.turn.pop_back();
  world.rotate(start);
  const std::string first = world.ring.keys().front().kid;
  EXPECT_EQ(written(), std::vector<std::string>{"turn_key_begun " + first});
  world.rotate(start + 6 * day);
  const std::string second = world.ring.keys().back().kid;
  EXPECT_EQ(written(), (std::vector<std::string>{"turn_key_begun " + second, "turn_key_begun " + first}));
  const WallTime end = world.ring.keys().front().accepted_until;
  world.rotate(end - 1s);
  const auto before = written();
  EXPECT_EQ(std::ranges::count(before, "turn_key_ended " + first), 0);
  world.rotate(end);
  EXPECT_EQ(written().front(), "turn_key_ended " + first);
  EXPECT_EQ(written().size(), before.size() + 1);
}

TEST(TurnKeyRing, WaitsForARelayThatHasNotFetchedTheNewOneYet) {
  KeyWorld world;
  world.rotate(start);
  world.fetch(start);
  world.settings.turn.pop_back();
  const std::string first = world.maker(start);
  world.rotate(start + 6 * day);
  EXPECT_EQ(world.published().size(), 2u);
  EXPECT_TRUE(world.ring.find_unfetched(world.settings, start + 6 * day).empty()) << "not due yet";
  EXPECT_EQ(world.maker(start + 7 * day + 12h), first);
  EXPECT_EQ(world.ring.find_unfetched(world.settings, start + 7 * day).front(), "turn1.ims.example");
  EXPECT_NE(world.maker(start + 8 * day + 1min), first) << "the relay refuses the old one soon";
  world.fetch(start + 7 * day + 13h);
  EXPECT_NE(world.maker(start + 7 * day + 14h), first);
}

TEST(TurnKeyRing, OutlivesItsProcess) {
  KeyWorld world;
  world.rotate(start);
  auto again = TurnKeyRing::open(world.ledger);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->rotate(world.ledger, world.settings, start + 1h, world.random).value());
  EXPECT_EQ(again->keys_of("turn1.ims.example").front()->kid, world.published().front());
}

TEST(TurnKeyRing, SeesWhatAnotherProcessHasChanged) {
  KeyWorld world;
  world.rotate(start);
  world.fetch(start);
  const std::string first = world.maker(start);
  auto other = TurnKeyRing::open(world.ledger).value();
  const auto next =
      other.begin_next(world.ledger, world.settings, "turn1.ims.example", false, start + 1h, world.random);
  ASSERT_TRUE(next);
  EXPECT_TRUE(world.rotate(start + 1h));
  EXPECT_EQ(world.published(), (std::vector<std::string>{*next, first}));
  EXPECT_EQ(world.maker(start + 1h), first);
  world.fetch(start + 2h);
  EXPECT_EQ(world.maker(start + 1h + day), *next);
}

TEST(TurnKeyRing, ReplacesAWithdrawnKeyAtOnce) {
  KeyWorld world;
  world.rotate(start);
  world.fetch(start);
  const std::string leaked = world.maker(start);
  EXPECT_TRUE(world.ledger.withdraw_turn_key(leaked));
  EXPECT_TRUE(world.rotate(start + 1h));
  const std::string next = world.maker(start + 1h);
  EXPECT_NE(next, "");
  EXPECT_NE(next, leaked);
  EXPECT_EQ(world.ring.keys_of("turn1.ims.example").size(), 2u) << "relays have to be told of it";
  EXPECT_EQ(world.maker(start + 1h, 1), world.published("turn2.ims.example").front());
  world.rotate(start + 9 * day);
  for (const StoredTurnKey& key : world.ring.keys())
    EXPECT_FALSE(key.is_withdrawn) << "it has ended by itself";
}

TEST(TurnKeyRing, LetsAKeyTakeOverAtOnceOverTheOneThatWasToFollow) {
  KeyWorld world;
  world.rotate(start);
  world.rotate(start + 6 * day);
  world.fetch(start + 6 * day);
  const auto next = world.ring.begin_next(world.ledger, world.settings, "turn1.ims.example", true,
                                          start + 6 * day, world.random);
  world.fetch(start + 6 * day);
  EXPECT_EQ(world.maker(start + 6 * day), *next);
  EXPECT_EQ(world.maker(start + 8 * day), *next) << "the one that was to follow does not";
}

TEST(TurnKeyRing, HasALimit) {
  KeyWorld world;
  world.rotate(start);
  std::size_t begun = 0;
  while (world.ring.begin_next(world.ledger, world.settings, "turn1.ims.example", true, start, world.random))
    ++begun;
  EXPECT_EQ(begun + 1, turn_keys_per_server_max);
  EXPECT_EQ(
      world.ring.begin_next(world.ledger, world.settings, "turn1.ims.example", true, start, world.random)
          .error(),
      "turn1.ims.example has 8 keys already, which is as many as it may have at a time");
  EXPECT_EQ(world.ring.begin_next(world.ledger, world.settings, "turn9", true, start, world.random).error(),
            "no [[waf.turn_servers]] has the server_name \"turn9\"");
}

TEST(TurnKeyRing, GoesOnWhenTheClockWasSetBack) {
  KeyWorld world;
  world.rotate(start + 365 * day);
  EXPECT_NE(world.maker(start + 365 * day), "");
  world.rotate(start);
  EXPECT_NE(world.maker(start), "");
  EXPECT_FALSE(world.rotate(start + 1h)) << "and makes one key, not one each time";
}

struct UnreadableLedger : MemoryLedger {
  std::vector<StoredTurnKey> turn_keys() override {
    return is_broken ? std::vector<StoredTurnKey>{} : MemoryLedger::turn_keys();
  }
  std::optional<std::string> take_failure() override {
    return is_broken ? std::optional<std::string>{"waf.db: disk I/O error"} : std::nullopt;
  }
  bool is_broken = false;
};

TEST(TurnKeyRing, DoesNotTakeKeysThatCannotBeReadForNone) {
  UnreadableLedger ledger;
  const Settings settings = fetching_settings();
  SeededRandom random{1};
  auto ring = TurnKeyRing::open(ledger).value();
  ASSERT_TRUE(ring.rotate(ledger, settings, start, random));
  ledger.is_broken = true;
  EXPECT_EQ(ring.rotate(ledger, settings, start, random).error(), "waf.db: disk I/O error");
  EXPECT_EQ(ring.keys().size(), 2u);
  EXPECT_EQ(TurnKeyRing::open(ledger).error(), "waf.db: disk I/O error");
}

TEST(KidPrefix, IsShortAndPlain) {
  EXPECT_FALSE(find_kid_prefix_problem("w1-"));
  EXPECT_FALSE(find_kid_prefix_problem("Shop_16-bytes-xx"));
  for (const char* wrong : {"", "w1.", "w 1", "seventeen-bytes-x", "\xc3\xa4"})
    EXPECT_TRUE(find_kid_prefix_problem(wrong)) << wrong;
}

TEST(TurnKeyRing, TokensOfAFetchedKeyNameTheirSubjects) {
  const Settings settings = fetching_settings();
  EXPECT_TRUE(settings.turn.front().names_subjects()) << "also while there is no key yet";
}

}  // namespace
}  // namespace turnpike::waf
