#pragma once
// For tests: what every Ledger owes. An implementation instantiates the suite with a type whose call opens an
// empty one, as memory_ledger_test.cpp does.

#include <gtest/gtest.h>

#include <algorithm>

#include "waf/ledger.hpp"

namespace turnpike::waf {

template <typename Make>
class LedgerContract : public testing::Test {
 protected:
  static constexpr std::chrono::seconds minute{60}, hour{3600};

  static Family family(std::string id = "f1") {
    return {.id = std::move(id),
            .client = "wic",
            .user = "u1",
            .scope = {"ims", "turn"},
            .audiences = {"epcscf"},
            .jkt = "key",
            .authenticated_at = WallTime{},
            .ends_at = now + hour};
  }
  static Code code(std::string_view text = "code") {
    return {.digest = digest_of(text),
            .family = family(),
            .redirect_uri = "https://wic.example/done",
            .challenge = "challenge",
            .ends_at = now + minute,
            .remembered_until = now + hour};
  }
  static Issued token(std::string id, std::string of = "f1") {
    return {.id = std::move(id),
            .kind = IssuedKind::registration,
            .family = std::move(of),
            .client = "wic",
            .subject = "u1",
            .audience = "epcscf",
            .scope = {"ims"},
            .turn_subject = "s1",
            .issued_at = now,
            .ends_at = now + minute};
  }
  static Issued turn_token(std::string id, std::string subject = "s1", std::string of = "f1") {
    Issued issued = token(std::move(id), std::move(of));
    issued.twin = issued.id + "-twin";
    issued.kind = IssuedKind::turn;
    issued.turn_subject = std::move(subject);
    return issued;
  }
  static std::vector<std::string> ids(const std::vector<Issued>& tokens) {
    std::vector<std::string> all;
    all.reserve(tokens.size());
    for (const Issued& it : tokens) all.push_back(it.id);
    std::ranges::sort(all);
    return all;
  }
  bool open(const Family& of, std::vector<Issued> issued = {}) {
    return ledger_->open_family(of, digest_of("r1"), issued, 10, now).is_open;
  }
  Rotation rotate(std::string_view from, std::string_view to, std::vector<Issued> issued = {}) {
    return ledger_->rotate("f1", digest_of(from), digest_of(to), issued, now);
  }

  using Names = std::vector<std::string>;
  static constexpr WallTime now{std::chrono::seconds{1'800'000'000}};
  std::unique_ptr<Ledger> ledger_ = Make{}();
};

TYPED_TEST_SUITE_P(LedgerContract);

TYPED_TEST_P(LedgerContract, KeepsClients) {
  const Client client{
      .id = "wic",
      .name = "Web client",
      .method = ClientMethod::client_secret_basic,
      .secrets = {{.digest = digest_of("old"), .ends_at = this->now}, {.digest = digest_of("new")}},
      .jwks = "{\"keys\":[]}",
      .redirect_uris = {"https://wic.example/done", "http://127.0.0.1/done"},
      .grants = {GrantType::authorization_code, GrantType::jwt_bearer},
      .scopes = {"ims", "turn"},
      .audiences = {"a"},
      .introspects = {"b"},
      .wwsf = "shop",
      .identity =
          Identity{.impi = "p@x", .impus = {"sip:p@x", "tel:+1"}, .wwsf = "w", .is_pool_identity = true},
      .needs_consent = false,
      .requires_dpop = true,
      .exchanges_for_others = true,
      .is_enabled = false};
  EXPECT_EQ(this->ledger_->find_client("wic"), nullptr);
  this->ledger_->put_client(client);
  this->ledger_->put_client({.id = "other"});
  ASSERT_NE(this->ledger_->find_client("wic"), nullptr);
  EXPECT_EQ(*this->ledger_->find_client("wic"), client);
  EXPECT_EQ(this->ledger_->clients().size(), 2u);
  Client changed = client;
  changed.name = "another";
  changed.identity.reset();
  this->ledger_->put_client(changed);
  EXPECT_EQ(*this->ledger_->find_client("wic"), changed);
  EXPECT_EQ(this->ledger_->find_client("WIC"), nullptr);
}

TYPED_TEST_P(LedgerContract, AdmitsNoUserWithWhatIsAnothersAlready) {
  const User alice{
      .id = "u1", .name = "alice", .identity = {.impi = "alice@x", .impus = {"sip:alice@x", "tel:+1"}}};
  this->ledger_->put_user(alice);
  const User guest{.id = "u2", .name = "corp:7", .identity = {.impi = "guest@x", .impus = {"sip:guest@x"}}};
  const auto refuses = [&](const User& changed) {
    const Admission admission = this->ledger_->admit_user(changed, 10);
    EXPECT_EQ(*this->ledger_->find_user("u1"), alice);
    EXPECT_EQ(this->ledger_->find_user("u2"), nullptr);
    return admission == Admission::taken;
  };
  User changed = guest;
  changed.name = "alice";
  EXPECT_TRUE(refuses(changed));
  changed = guest;
  changed.identity.impi = "Alice@X";
  EXPECT_TRUE(refuses(changed));
  changed = guest;
  changed.identity.impus.emplace_back("SIP:ALICE@x");
  EXPECT_TRUE(refuses(changed));
  changed = guest;
  changed.identity.impus.emplace_back("tel:+1");
  EXPECT_TRUE(refuses(changed));

  EXPECT_EQ(this->ledger_->admit_user(guest, 10), Admission::admitted);
  EXPECT_EQ(*this->ledger_->find_user("u2"), guest);
  changed = guest;
  changed.identity.impus = {"sip:guest2@x"};
  EXPECT_EQ(this->ledger_->admit_user(changed, 10), Admission::admitted) << "it takes its own name again";
  EXPECT_EQ(*this->ledger_->find_user("u2"), changed);
  changed.id = "u3";
  changed.name = "corp:8";
  EXPECT_EQ(this->ledger_->admit_user(changed, 10), Admission::taken);
  this->ledger_->remove_user("u2", this->now);
  EXPECT_EQ(this->ledger_->admit_user(changed, 10), Admission::admitted) << "who is gone has no identities";
}

TYPED_TEST_P(LedgerContract, AdmitsOnlySoManyUsers) {
  EXPECT_EQ(this->ledger_->admit_user({.id = "u1", .name = "a"}, 2), Admission::admitted);
  EXPECT_EQ(this->ledger_->admit_user({.id = "u2", .name = "b"}, 2), Admission::admitted);
  EXPECT_EQ(this->ledger_->admit_user({.id = "u3", .name = "c"}, 2), Admission::full);
  EXPECT_EQ(this->ledger_->admit_user({.id = "u2", .name = "d"}, 2), Admission::admitted) << "who is in";
  EXPECT_EQ(this->ledger_->users().size(), 2u);
}

TYPED_TEST_P(LedgerContract, KeepsUsersWhoseNamesAreUnique) {
  const User alice{
      .id = "u1",
      .name = "alice",
      .password = "$scrypt$",
      .identity = {.impi = "alice@x", .impus = {"sip:alice@x", "sip:a@x"}, .is_pool_identity = true}};
  this->ledger_->put_user(alice);
  EXPECT_EQ(*this->ledger_->find_user("u1"), alice);
  EXPECT_EQ(*this->ledger_->find_user_by_name("alice"), alice);
  EXPECT_EQ(this->ledger_->find_user_by_name("bob"), nullptr);
  EXPECT_EQ(this->ledger_->find_user_by_name(""), nullptr);

  this->ledger_->put_user({.id = "u2", .name = "alice"});
  EXPECT_EQ(this->ledger_->find_user_by_name("alice")->id, "u2");
  EXPECT_EQ(this->ledger_->find_user("u1")->name, "");
  this->ledger_->put_user({.id = "u2", .name = "carol", .is_enabled = false});
  EXPECT_EQ(this->ledger_->find_user_by_name("alice"), nullptr);
  EXPECT_FALSE(this->ledger_->find_user_by_name("carol")->is_enabled);
  EXPECT_EQ(this->ledger_->users().size(), 2u);
}

TYPED_TEST_P(LedgerContract, RemovesAccountsWithWhatWasIssuedToThem) {
  this->ledger_->put_client({.id = "wic"});
  this->ledger_->put_user({.id = "u1", .name = "alice"});
  this->ledger_->put_consent({.user = "u1", .client = "wic", .scope = {"ims"}});
  this->ledger_->add_code(this->code());
  ASSERT_TRUE(this->open(this->family(), {this->token("t1")}));
  ASSERT_TRUE(this->ledger_->note_issued(std::vector{this->token("t2", "")}, this->now));

  EXPECT_EQ(this->ids(this->ledger_->remove_user("u1", this->now)),
            (typename TestFixture::Names{"t1", "t2"}));
  EXPECT_EQ(this->ledger_->find_user("u1"), nullptr);
  EXPECT_EQ(this->ledger_->find_user_by_name("alice"), nullptr);
  EXPECT_FALSE(this->ledger_->find_consent("u1", "wic"));
  EXPECT_FALSE(this->ledger_->find_family("f1", this->now));
  EXPECT_EQ(this->ledger_->redeem_code(digest_of("code"), "wic", this->now).outcome,
            CodeRedemption::Outcome::unknown);

  ASSERT_TRUE(this->open(this->family("f2"), {this->token("t3", "f2")}));
  EXPECT_EQ(this->ids(this->ledger_->revoke_client("wic", this->now)), (typename TestFixture::Names{"t3"}));
  EXPECT_NE(this->ledger_->find_client("wic"), nullptr);
  EXPECT_FALSE(this->ledger_->find_family("f2", this->now));
  EXPECT_EQ(this->rotate("r1", "r2").outcome, Rotation::Outcome::unknown);
  ASSERT_TRUE(this->open(this->family("f3"), {this->token("t4", "f3")}));
  EXPECT_EQ(this->ids(this->ledger_->remove_client("wic", this->now)), (typename TestFixture::Names{"t4"}));
  EXPECT_EQ(this->ledger_->find_client("wic"), nullptr);
  EXPECT_FALSE(this->ledger_->find_family("f3", this->now));
  EXPECT_TRUE(this->ledger_->remove_client("wic", this->now).empty());
}

TYPED_TEST_P(LedgerContract, KeepsConsents) {
  const Consent consent{.user = "u1", .client = "wic", .scope = {"ims", "turn"}, .given_at = this->now};
  EXPECT_FALSE(this->ledger_->find_consent("u1", "wic"));
  this->ledger_->put_consent(consent);
  EXPECT_EQ(this->ledger_->find_consent("u1", "wic"), consent);
  EXPECT_FALSE(this->ledger_->find_consent("wic", "u1"));
  EXPECT_TRUE(this->ledger_->remove_consent("u1", "wic", this->now).empty());
  EXPECT_FALSE(this->ledger_->find_consent("u1", "wic"));
}

TYPED_TEST_P(LedgerContract, TakesBackWhatAConsentAllowed) {
  const auto of_other = [&](Family family) {
    family.client = "other";
    return family;
  };
  Issued exchanged = this->token("t2", ""), of_others = this->token("t3", "f3"),
         alone = this->token("t4", "");
  of_others.client = "other";
  alone.subject = "u2";
  this->ledger_->put_consent({.user = "u1", .client = "wic"});
  this->ledger_->put_consent({.user = "u1", .client = "other"});
  ASSERT_TRUE(this->open(this->family(), {this->turn_token("t1")}));
  ASSERT_TRUE(this->open(of_other(this->family("f3")), {of_others}));
  ASSERT_TRUE(this->ledger_->note_issued(std::vector{exchanged, alone}, this->now));
  Code code = this->code();
  code.family.id = "f2";
  this->ledger_->add_code(code);

  EXPECT_EQ(this->ids(this->ledger_->remove_consent("u1", "wic", this->now)),
            (typename TestFixture::Names{"t1", "t2"}));
  EXPECT_FALSE(this->ledger_->find_family("f1", this->now));
  EXPECT_TRUE(this->ledger_->find_family("f3", this->now)) << "another client's";
  EXPECT_TRUE(this->ledger_->find_consent("u1", "other"));
  EXPECT_TRUE(this->ledger_->find_issued("t4", this->now)) << "another user's";
  EXPECT_EQ(this->ledger_->redeem_code(digest_of("code"), "wic", this->now).outcome,
            CodeRedemption::Outcome::unknown);
  EXPECT_EQ(this->rotate("r1", "r2").outcome, Rotation::Outcome::unknown);
}

TYPED_TEST_P(LedgerContract, RemembersRevokedTokens) {
  const auto revoked = [&](std::int64_t after, WallTime at) {
    std::vector<Issued> all;
    for (const RevokedBatch& batch : this->ledger_->find_revoked(after, at).batches)
      all.insert(all.end(), batch.tokens.begin(), batch.tokens.end());
    return this->ids(all);
  };
  using Ids = typename TestFixture::Names;
  ASSERT_TRUE(this->open(this->family(), {this->token("a"), this->turn_token("t1")}));
  ASSERT_TRUE(this->ledger_->note_issued(
      std::vector{this->turn_token("t2", "s1", ""), this->token("b", ""), this->turn_token("t3", "s2", "")},
      this->now));
  EXPECT_EQ(this->ledger_->find_revoked(0, this->now).position, 0);
  this->ledger_->revoke_issued("t3", this->now);
  const Revoked single = this->ledger_->find_revoked(0, this->now);
  ASSERT_EQ(single.batches.size(), 1u);
  EXPECT_TRUE(single.batches.front().was_single);
  EXPECT_EQ(single.batches.front().tokens.front().twin, "t3-twin");
  EXPECT_EQ(single.batches.front().tokens.front().turn_subject, "s2");
  EXPECT_EQ(single.batches.front().tokens.front().audience, "epcscf");

  this->ledger_->revoke_family("f1", this->now + this->hour, this->now);
  const Revoked next = this->ledger_->find_revoked(single.position, this->now);
  ASSERT_EQ(next.batches.size(), 1u) << "what comes after a position";
  EXPECT_FALSE(next.batches.front().was_single) << "a registration token ended with it";
  EXPECT_EQ(this->ids(next.batches.front().tokens), (typename TestFixture::Names{"a", "t1"}));
  EXPECT_EQ(std::ranges::count(next.batches.front().tokens, IssuedKind::turn, &Issued::kind), 1);
  this->ledger_->revoke_issued("b", this->now);
  EXPECT_EQ(revoked(next.position, this->now), (Ids{"b", "t2"})) << "of the same turn_subject";
  EXPECT_EQ(revoked(0, this->now), (Ids{"a", "b", "t1", "t2", "t3"}));
  EXPECT_EQ(revoked(0, this->now + this->minute + relay_tolerance), Ids{}) << "they have ended";
}

TYPED_TEST_P(LedgerContract, WritesJoinedCalls) {
  this->ledger_->begin();
  this->ledger_->put_client({.id = "wic"});
  EXPECT_TRUE(this->ledger_->find_client("wic"));
  this->ledger_->commit();
  EXPECT_TRUE(this->ledger_->find_client("wic"));
  EXPECT_FALSE(this->ledger_->take_failure());
}

TYPED_TEST_P(LedgerContract, KeepsSessionsUntilTheyEnd) {
  const Session session{
      .id = digest_of("s"), .user = "u1", .began_at = this->now, .ends_at = this->now + this->minute};
  this->ledger_->open_session(session, 2);
  EXPECT_EQ(this->ledger_->find_session(digest_of("s"), this->now), session);
  EXPECT_FALSE(this->ledger_->find_session(digest_of("x"), this->now));
  EXPECT_FALSE(this->ledger_->find_session(digest_of("s"), this->now + this->minute));
  this->ledger_->close_session(digest_of("s"));
  EXPECT_FALSE(this->ledger_->find_session(digest_of("s"), this->now));

  this->ledger_->open_session(session, 2);
  this->ledger_->revoke_user("u1", this->now);
  EXPECT_FALSE(this->ledger_->find_session(digest_of("s"), this->now));
}

TYPED_TEST_P(LedgerContract, ClosesTheOldestOfTooManySessionsAndFamilies) {
  using std::chrono::seconds;
  const auto session = [&](std::string_view name, int at) {
    return Session{.id = digest_of(name),
                   .user = "u1",
                   .began_at = this->now + seconds{at},
                   .ends_at = this->now + this->hour};
  };
  this->ledger_->open_session(session("second", 2), 2);
  this->ledger_->open_session(session("first", 1), 2);
  this->ledger_->open_session(session("third", 3), 2);
  EXPECT_FALSE(this->ledger_->find_session(digest_of("first"), this->now));
  EXPECT_TRUE(this->ledger_->find_session(digest_of("second"), this->now));
  EXPECT_TRUE(this->ledger_->find_session(digest_of("third"), this->now));

  const auto open_at = [&](const std::string& id, int at, const std::string& user = "u1") {
    Family family = this->family(id);
    family.user = user;
    family.authenticated_at = this->now + seconds{at};
    return this->ledger_->open_family(family, digest_of("r1"), std::vector{this->token("t" + id, id)}, 2,
                                      this->now);
  };
  EXPECT_TRUE(open_at("b", 2).revoked.empty());
  EXPECT_TRUE(open_at("a", 1).revoked.empty());
  EXPECT_TRUE(open_at("x", 0, "u2").revoked.empty());
  EXPECT_EQ(this->ids(open_at("c", 3).revoked), (typename TestFixture::Names{"ta"}));
  EXPECT_FALSE(this->ledger_->find_family("a", this->now));
  EXPECT_TRUE(this->ledger_->find_family("b", this->now));
  EXPECT_TRUE(this->ledger_->find_family("x", this->now));
}

TYPED_TEST_P(LedgerContract, RedeemsACodeOnceForItsClient) {
  this->ledger_->add_code(this->code());
  const auto redeem = [&](std::string_view text, std::string_view client) {
    return this->ledger_->redeem_code(digest_of(text), client, this->now);
  };
  EXPECT_EQ(redeem("other", "wic").outcome, CodeRedemption::Outcome::unknown);
  EXPECT_EQ(redeem("code", "thief").outcome, CodeRedemption::Outcome::unknown);
  const CodeRedemption first = redeem("code", "wic");
  EXPECT_EQ(first.outcome, CodeRedemption::Outcome::redeemed);
  EXPECT_EQ(first.code, this->code());
  EXPECT_EQ(redeem("code", "thief").outcome, CodeRedemption::Outcome::unknown);

  ASSERT_TRUE(this->open(this->family(), {this->token("t1"), this->turn_token("t2")}));
  const CodeRedemption second = redeem("code", "wic");
  EXPECT_EQ(second.outcome, CodeRedemption::Outcome::replayed);
  EXPECT_EQ(this->ids(second.revoked), (typename TestFixture::Names{"t1", "t2"}));
  EXPECT_FALSE(this->ledger_->find_family("f1", this->now));
  EXPECT_FALSE(this->ledger_->find_issued("t1", this->now));
  EXPECT_EQ(redeem("code", "wic").outcome, CodeRedemption::Outcome::replayed);
  EXPECT_TRUE(redeem("code", "wic").revoked.empty());
}

TYPED_TEST_P(LedgerContract, DoesNotRedeemACodeThatHasEnded) {
  this->ledger_->add_code(this->code());
  EXPECT_EQ(this->ledger_->redeem_code(digest_of("code"), "wic", this->now + this->minute).outcome,
            CodeRedemption::Outcome::unknown);
}

TYPED_TEST_P(LedgerContract, KeepsAFamilyClosedThatWasRevokedBeforeItWasOpened) {
  this->ledger_->add_code(this->code());
  this->ledger_->redeem_code(digest_of("code"), "wic", this->now);
  this->ledger_->redeem_code(digest_of("code"), "wic", this->now);
  EXPECT_FALSE(this->open(this->family(), {this->token("t1")}));
  EXPECT_FALSE(this->ledger_->find_issued("t1", this->now));
  EXPECT_FALSE(this->ledger_->note_issued(std::vector{this->token("t1")}, this->now));
  EXPECT_FALSE(this->ledger_->find_issued("t1", this->now));
}

TYPED_TEST_P(LedgerContract, RotatesRefreshTokensAndNoticesOldOnes) {
  ASSERT_TRUE(this->open(this->family(), {this->token("t1")}));
  EXPECT_EQ(this->ledger_->find_family("f1", this->now), this->family());
  EXPECT_EQ(this->rotate("r1", "r2", {this->token("t2")}).outcome, Rotation::Outcome::rotated);
  EXPECT_EQ(this->rotate("r2", "r3").outcome, Rotation::Outcome::rotated);
  EXPECT_TRUE(this->ledger_->find_issued("t2", this->now));

  const Rotation replay = this->rotate("r1", "r4", {this->token("t4")});
  EXPECT_EQ(replay.outcome, Rotation::Outcome::replayed);
  EXPECT_EQ(this->ids(replay.revoked), (typename TestFixture::Names{"t1", "t2"}));
  EXPECT_FALSE(this->ledger_->find_issued("t4", this->now));
  EXPECT_EQ(this->rotate("r3", "r5").outcome, Rotation::Outcome::unknown);
  EXPECT_FALSE(this->ledger_->find_family("f1", this->now));
}

TYPED_TEST_P(LedgerContract, DoesNotRotateWhatIsNotThere) {
  EXPECT_EQ(this->rotate("r1", "r2").outcome, Rotation::Outcome::unknown);
  ASSERT_TRUE(this->open(this->family()));
  EXPECT_EQ(this->ledger_->rotate("f1", digest_of("r1"), digest_of("r2"), {}, this->now + this->hour).outcome,
            Rotation::Outcome::unknown);
  EXPECT_FALSE(this->ledger_->find_family("f1", this->now + this->hour));
  // A family without a refresh token has none that could be shown.
  ASSERT_TRUE(this->ledger_->open_family(this->family("f2"), std::nullopt, {}, 10, this->now).is_open);
  EXPECT_EQ(this->ledger_->rotate("f2", digest_of("r1"), digest_of("r2"), {}, this->now).outcome,
            Rotation::Outcome::replayed);
}

TYPED_TEST_P(LedgerContract, RevokesAFamilyWithItsTokens) {
  ASSERT_TRUE(this->open(this->family(), {this->token("t1"), this->turn_token("t2")}));
  ASSERT_TRUE(this->open(this->family("f2"), {this->token("t3", "f2")}));
  EXPECT_EQ(this->ids(this->ledger_->revoke_family("f1", this->now + this->hour, this->now)),
            (typename TestFixture::Names{"t1", "t2"}));
  EXPECT_FALSE(this->ledger_->find_family("f1", this->now));
  EXPECT_TRUE(this->ledger_->find_issued("t3", this->now));
  EXPECT_TRUE(this->ledger_->revoke_family("f1", this->now + this->hour, this->now).empty());
}

TYPED_TEST_P(LedgerContract, KeepsWhatWasIssuedUntilItEnds) {
  const Issued issued = this->turn_token("t1", "s1", "");
  ASSERT_TRUE(this->ledger_->note_issued(std::vector{issued}, this->now));
  EXPECT_EQ(this->ledger_->find_issued("t1", this->now), issued);
  EXPECT_EQ(this->ledger_->find_issued("t1-twin", this->now), issued);
  EXPECT_FALSE(this->ledger_->find_issued("t2", this->now));
  EXPECT_FALSE(this->ledger_->find_issued("", this->now));
  EXPECT_FALSE(this->ledger_->find_issued("t1", this->now + this->minute));
  EXPECT_TRUE(this->ledger_->revoke_issued("t1", this->now + this->minute).empty());
}

TYPED_TEST_P(LedgerContract, RevokesATokenWithTheTurnTokensThatCameWithIt) {
  ASSERT_TRUE(this->ledger_->note_issued(
      std::vector{this->token("t1"), this->turn_token("t2"), this->turn_token("t3"),
                  this->turn_token("t4", "s2"), this->token("t5")},
      this->now));
  EXPECT_EQ(this->ids(this->ledger_->revoke_issued("t2-twin", this->now)),
            (typename TestFixture::Names{"t2"}));
  EXPECT_FALSE(this->ledger_->find_issued("t2", this->now));
  EXPECT_FALSE(this->ledger_->find_issued("t2-twin", this->now));
  EXPECT_EQ(this->ids(this->ledger_->revoke_issued("t1", this->now)),
            (typename TestFixture::Names{"t1", "t3"}));
  EXPECT_TRUE(this->ledger_->find_issued("t4", this->now));
  EXPECT_TRUE(this->ledger_->find_issued("t5", this->now));
}

TYPED_TEST_P(LedgerContract, LetsAKeyBeUsedOnce) {
  EXPECT_TRUE(this->ledger_->use_once("a", this->now + this->minute, this->now));
  EXPECT_FALSE(this->ledger_->use_once("a", this->now + this->minute, this->now));
  EXPECT_TRUE(this->ledger_->use_once("b", this->now + this->minute, this->now));
  EXPECT_TRUE(this->ledger_->use_once("a", this->now + this->hour, this->now + this->minute));
  this->ledger_->forget_ended(this->now + this->minute);
  EXPECT_FALSE(this->ledger_->use_once("a", this->now + this->hour, this->now + this->minute));
}

TYPED_TEST_P(LedgerContract, LocksAfterFailures) {
  using std::chrono::seconds;
  const AttemptRule rule{
      .failures_max = 3, .memory = seconds{100}, .lock = seconds{10}, .lock_max = seconds{30}};
  const auto fail = [&](int at) {
    return this->ledger_->note_failure("k", rule, this->now + seconds{at}) - this->now;
  };
  EXPECT_LE(fail(0), seconds{0});
  EXPECT_LE(fail(1), seconds{1});
  EXPECT_FALSE(this->ledger_->find_lock("k", this->now + seconds{1}));
  EXPECT_EQ(fail(2), seconds{12});
  EXPECT_EQ(this->ledger_->find_lock("k", this->now + seconds{11}), this->now + seconds{12});
  EXPECT_FALSE(this->ledger_->find_lock("k", this->now + seconds{12}));
  EXPECT_FALSE(this->ledger_->find_lock("other", this->now + seconds{11}));
  EXPECT_EQ(fail(12), seconds{32});
  EXPECT_EQ(fail(32), seconds{62}) << "at most lock_max";
  this->ledger_->forget_ended(this->now + seconds{161});
  EXPECT_EQ(fail(161), seconds{191}) << "still remembered";
  EXPECT_LE(fail(291), seconds{291}) << "forgotten";
  fail(292), fail(293);
  ASSERT_TRUE(this->ledger_->find_lock("k", this->now + seconds{294}));
  this->ledger_->forget_failures("k");
  EXPECT_FALSE(this->ledger_->find_lock("k", this->now + seconds{294}));
}

TYPED_TEST_P(LedgerContract, KeepsSigningKeysInTheirOrder) {
  const auto key = [&](const std::string& kid, std::chrono::seconds from) {
    return StoredKey{.kid = kid,
                     .jwk = Secret::from_text("{}"),
                     .published_at = this->now,
                     .signs_from = this->now + from,
                     .signs_until = this->now + from + this->hour,
                     .published_until = this->now + from + 2 * this->hour};
  };
  this->ledger_->put_signing_key(key("a", this->hour));
  this->ledger_->put_signing_key(key("b", this->minute));
  auto keys = this->ledger_->signing_keys();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys.front().kid, "b");
  EXPECT_EQ(keys.front().jwk.reveal_text(), "{}");
  EXPECT_EQ(keys.back().published_until, this->now + 3 * this->hour);
  this->ledger_->put_signing_key(key("a", std::chrono::seconds{1}));
  this->ledger_->remove_signing_key("b");
  keys = this->ledger_->signing_keys();
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys.front().signs_from, this->now + std::chrono::seconds{1});
}

TYPED_TEST_P(LedgerContract, KeepsTheKeysOfTurnServers) {
  const auto key = [&](const std::string& kid, std::chrono::seconds from, const char* server = "turn1") {
    return StoredTurnKey{.kid = kid,
                         .server_name = server,
                         .key = Secret::from_text("0123456789abcdef"),
                         .algorithm = credentials::TokenAlgorithm::a128gcm,
                         .published_at = this->now,
                         .used_from = this->now + from,
                         .used_until = this->now + from + this->hour,
                         .accepted_until = this->now + from + 2 * this->hour};
  };
  EXPECT_TRUE(this->ledger_->add_turn_key(key("a", this->hour)));
  EXPECT_TRUE(this->ledger_->add_turn_key(key("b", this->minute)));
  EXPECT_TRUE(this->ledger_->add_turn_key(key("c", 2 * this->hour, "turn2")));
  EXPECT_FALSE(this->ledger_->add_turn_key(key("a", this->minute))) << "a key is never replaced";
  this->ledger_->note_turn_keys_fetched("turn1", this->now + this->minute);
  this->ledger_->end_turn_key_use("b", this->now + 2 * this->minute);
  this->ledger_->end_turn_key_use("b", this->now + this->hour);
  const auto keys = this->ledger_->turn_keys();
  ASSERT_EQ(keys.size(), 3u);
  EXPECT_EQ(keys[0].kid + keys[1].kid + keys[2].kid, "bac");
  EXPECT_EQ(keys[0].used_until, this->now + 2 * this->minute);
  EXPECT_EQ(keys[1].key.reveal_text(), "0123456789abcdef");
  EXPECT_EQ(keys[1].algorithm, credentials::TokenAlgorithm::a128gcm);
  EXPECT_EQ(keys[1].published_at, this->now);
  EXPECT_EQ(keys[1].accepted_until, this->now + 3 * this->hour);
  EXPECT_EQ(keys[1].fetched_at, this->now + this->minute);
  EXPECT_EQ(keys[2].server_name, "turn2");
  EXPECT_EQ(keys[2].fetched_at, WallTime{});
}

TYPED_TEST_P(LedgerContract, LeavesNothingOfAWithdrawnTurnKey) {
  const StoredTurnKey key{.kid = "a", .server_name = "turn1", .key = Secret::from_text("0123456789abcdef")};
  this->ledger_->add_turn_key(key);
  EXPECT_TRUE(this->ledger_->withdraw_turn_key("a"));
  EXPECT_FALSE(this->ledger_->withdraw_turn_key("a"));
  EXPECT_FALSE(this->ledger_->withdraw_turn_key("b"));
  EXPECT_FALSE(this->ledger_->add_turn_key(key)) << "its name is not given again";
  this->ledger_->note_turn_keys_fetched("turn1", this->now);
  const auto keys = this->ledger_->turn_keys();
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_TRUE(keys.front().is_withdrawn);
  EXPECT_TRUE(keys.front().key.empty());
  EXPECT_EQ(keys.front().fetched_at, WallTime{});
  this->ledger_->remove_turn_key("a");
  EXPECT_TRUE(this->ledger_->turn_keys().empty());
}

TYPED_TEST_P(LedgerContract, KeepsAnAuditTrail) {
  const AuditEntry first{
      .at = this->now, .event = "login", .client = "wic", .subject = "u1", .remote = "::1", .detail = "d"};
  this->ledger_->append_audit(
      std::vector{first, AuditEntry{.at = this->now, .event = "login_failed", .is_by_stranger = true},
                  AuditEntry{.at = this->now, .event = "consent"}});
  const auto all = this->ledger_->last_audit_entries(10);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all.front().event, "consent");
  EXPECT_TRUE(all.at(1).is_by_stranger);
  EXPECT_EQ(all.back(), first);
  EXPECT_EQ(this->ledger_->last_audit_entries(1).size(), 1u);
}

TYPED_TEST_P(LedgerContract, ForgetsOnlyWhatHasEnded) {
  this->ledger_->add_code(this->code());
  ASSERT_TRUE(this->open(this->family(), {this->turn_token("t1")}));
  this->ledger_->redeem_code(digest_of("code"), "wic", this->now);
  this->ledger_->forget_ended(this->now + this->minute);
  EXPECT_FALSE(this->ledger_->find_issued("t1", this->now));
  EXPECT_TRUE(this->ledger_->find_family("f1", this->now + this->minute));
  EXPECT_EQ(this->ledger_->redeem_code(digest_of("code"), "wic", this->now + this->minute).outcome,
            CodeRedemption::Outcome::replayed)
      << "a code is remembered longer than it lives";
  this->ledger_->forget_ended(this->now + this->minute);
  EXPECT_FALSE(this->open(this->family())) << "and so is a revoked family";
}

REGISTER_TYPED_TEST_SUITE_P(LedgerContract, KeepsClients, KeepsUsersWhoseNamesAreUnique,
                            AdmitsNoUserWithWhatIsAnothersAlready, AdmitsOnlySoManyUsers,
                            RemovesAccountsWithWhatWasIssuedToThem, KeepsConsents,
                            TakesBackWhatAConsentAllowed, RemembersRevokedTokens, WritesJoinedCalls,
                            KeepsSessionsUntilTheyEnd, ClosesTheOldestOfTooManySessionsAndFamilies,
                            RedeemsACodeOnceForItsClient, DoesNotRedeemACodeThatHasEnded,
                            KeepsAFamilyClosedThatWasRevokedBeforeItWasOpened,
                            RotatesRefreshTokensAndNoticesOldOnes, DoesNotRotateWhatIsNotThere,
                            RevokesAFamilyWithItsTokens, KeepsWhatWasIssuedUntilItEnds,
                            RevokesATokenWithTheTurnTokensThatCameWithIt, LetsAKeyBeUsedOnce,
                            LocksAfterFailures, KeepsSigningKeysInTheirOrder, KeepsTheKeysOfTurnServers,
                            LeavesNothingOfAWithdrawnTurnKey, KeepsAnAuditTrail, ForgetsOnlyWhatHasEnded);

}  // namespace turnpike::waf
