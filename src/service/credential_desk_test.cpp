#include "service/credential_desk.hpp"

#include <gtest/gtest.h>

#include "service/test_credential_store.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;
using credentials::PushOutcome;
using credentials::Revocation;

class World {
 public:
  explicit World(std::vector<std::string> allowed = {})
      : desk_(store, {.allowed_names = std::move(allowed)}) {}

  HttpResponse ask(std::string method, std::string target, std::string body = "") {
    return desk_.answer({.peer = {.names = {issuer}},
                         .method = std::move(method),
                         .target = std::move(target),
                         .body = std::move(body)},
                        read_clocks().wall);
  }
  BatchAnswer batch(const ChangeBatch& changes) {
    const auto answer = ask("POST", "/v1/credentials:batch", format_batch(changes));
    EXPECT_EQ(answer.status, 200U) << answer.body;
    return parse_batch_answer(answer.body).value_or(BatchAnswer{});
  }
  BatchAnswer state(const FullState& full) {
    const auto answer = ask("PUT", "/v1/credentials", format_state(full));
    EXPECT_EQ(answer.status, 200U) << answer.body;
    return parse_batch_answer(answer.body).value_or(BatchAnswer{});
  }

  TableStore store;
  std::string issuer = "edge1.ims.example";

 private:
  CredentialDesk desk_;
};

Revocation by_username(const std::string& name) {
  return {.by = Revocation::By::username, .value = name, .until = read_clocks().wall + 1h};
}

TEST(CredentialDesk, PutsExtendsAndDeletesOneCredential) {
  World world;
  const auto credential = make_test_credential("a/b c");
  EXPECT_EQ(world.ask("PUT", "/v1/credentials/a%2Fb%20c", format_credential(credential)).status, 200U);
  const auto* stored = world.store.table.find("a/b c");
  ASSERT_NE(stored, nullptr);
  EXPECT_TRUE(stored->key_md5 == credential.key_md5);
  EXPECT_TRUE(stored->key_sha256 == credential.key_sha256);
  EXPECT_EQ(stored->subject, "subject-a");
  EXPECT_EQ(stored->expires_at, credential.expires_at);
  EXPECT_EQ(stored->policy, credential.policy);

  const auto later = std::to_string(unix_seconds(credential.expires_at) + 60);
  EXPECT_EQ(world.ask("PATCH", "/v1/credentials/a%2Fb%20c", R"({"expires_at":)" + later + "}").status, 200U);
  EXPECT_EQ(world.store.table.find("a/b c")->expires_at, credential.expires_at + 60s);
  EXPECT_EQ(world.ask("PATCH", "/v1/credentials/nobody", R"({"expires_at":)" + later + "}").status, 404U);

  EXPECT_EQ(world.ask("DELETE", "/v1/credentials/a%2Fb%20c").status, 200U);
  EXPECT_EQ(world.store.table.find("a/b c"), nullptr);
  EXPECT_EQ(world.ask("DELETE", "/v1/credentials/a%2Fb%20c").status, 200U);
}

TEST(CredentialDesk, ListsWithoutKeys) {
  World world;
  const auto credential = make_test_credential("bob", "s1");
  world.batch({.changes = {credential, make_test_credential("carol", "s2")}});
  const auto all = world.ask("GET", "/v1/credentials");
  EXPECT_NE(all.body.find("\"bob\""), std::string::npos);
  EXPECT_NE(all.body.find("\"carol\""), std::string::npos);
  EXPECT_EQ(all.body.find(to_hex(credential.key_md5.reveal())), std::string::npos);
  EXPECT_EQ(all.body.find("key_"), std::string::npos);
  const auto some = world.ask("GET", "/v1/credentials?subject=s2");
  EXPECT_EQ(some.body.find("\"bob\""), std::string::npos);
  EXPECT_NE(some.body.find("\"carol\""), std::string::npos);
}

TEST(CredentialDesk, DeletesBySubjectAndKid) {
  World world;
  world.batch({.changes = {make_test_credential("bob", "s1"), make_test_credential("carol", "s2")}});
  EXPECT_EQ(world.ask("DELETE", "/v1/credentials?subject=s1&until=4000000000").status, 200U);
  EXPECT_EQ(world.store.table.find("bob"), nullptr);
  EXPECT_NE(world.store.table.find("carol"), nullptr);
  EXPECT_EQ(world.ask("DELETE", "/v1/credentials?kid=k1.abc").status, 200U);
  const auto denied = world.store.denied.list(read_clocks().wall);
  ASSERT_EQ(denied.size(), 2U);
  EXPECT_EQ(denied[0].value, "s1");
  EXPECT_EQ(denied[0].until, from_unix_seconds(4'000'000'000));
  EXPECT_EQ(denied[1].by, Revocation::By::kid);
}

TEST(CredentialDesk, DeletesNothingWhereNothingIsNamed) {
  World world;
  world.batch({.changes = {make_test_credential("bob")}});
  for (const char* target : {"/v1/credentials", "/v1/credentials?subject=", "/v1/credentials?subjct=s1",
                             "/v1/credentials?subject=a&kid=b", "/v1/credentials?subject=a&until=x"})
    EXPECT_EQ(world.ask("DELETE", target).status, 400U) << target;
  EXPECT_NE(world.store.table.find("bob"), nullptr);
}

TEST(CredentialDesk, AsksForTheFullStateOfAStreamThatItDoesNotKnow) {
  World world;
  const ChangeBatch first{.first = StreamPosition{"s", 1}, .changes = {make_test_credential("bob")}};
  EXPECT_EQ(world.ask("POST", "/v1/credentials:batch", format_batch(first)).status, 409U);
  EXPECT_EQ(world.store.applied, 0U);
  world.state({.position = {"s", 0}});
  EXPECT_EQ(world.batch(first).sequence, 1U);
}

TEST(CredentialDesk, DoesWhatArrivesTwiceOnce) {
  World world;
  world.state({.position = {"s", 0}});
  const ChangeBatch batch{.first = StreamPosition{"s", 1},
                          .changes = {make_test_credential("bob"), make_test_credential("carol")}};
  world.batch(batch);
  world.batch({.first = StreamPosition{"s", 3}, .changes = {by_username("bob")}});
  const auto again = world.batch(batch);
  EXPECT_EQ(again.sequence, 3U);
  ASSERT_EQ(again.results.size(), 2U);
  EXPECT_EQ(again.results[0].outcome, PushOutcome::repeated);
  EXPECT_EQ(world.store.table.find("bob"), nullptr);
}

// Otherwise whoever has not heard the first answer takes it for done.
TEST(CredentialDesk, RefusesAgainWhatItHasRefused) {
  World world;
  world.state({.position = {"s", 0}});
  world.store.table = credentials::PushedTable{"ims.example", 1};
  const ChangeBatch batch{.first = StreamPosition{"s", 1},
                          .changes = {make_test_credential("bob"), make_test_credential("carol")}};
  EXPECT_EQ(world.batch(batch).results[1].outcome, PushOutcome::full);
  const auto again = world.batch(batch);
  EXPECT_EQ(again.results[0].outcome, PushOutcome::repeated);
  EXPECT_EQ(again.results[1].outcome, PushOutcome::full);
  EXPECT_EQ(world
                .ask("PUT", "/v1/credentials/carol?stream=s&sequence=2",
                     format_credential(make_test_credential("carol")))
                .status,
            507U);
  world.state({.position = {"another", 0}});
  EXPECT_EQ(world.batch({.first = StreamPosition{"another", 1}, .changes = {by_username("bob")}})
                .results[0]
                .outcome,
            PushOutcome::done);
}

TEST(CredentialDesk, SaysOfEachRevocationOfAFullStateWhetherItHasRoom) {
  World world;
  world.store.denied = credentials::DenyList{1};
  const FullState full{.position = {"s", 1},
                       .credentials = {make_test_credential("bob")},
                       .revocations = {by_username("gone"), by_username("gone too")}};
  const auto answer = world.state(full);
  ASSERT_EQ(answer.results.size(), 1U);
  ASSERT_EQ(answer.revocations.size(), 2U);
  EXPECT_EQ(answer.revocations[0].outcome, PushOutcome::done);
  EXPECT_EQ(answer.revocations[1].outcome, PushOutcome::full);
  EXPECT_EQ(answer.results[0].outcome, PushOutcome::done);
}

TEST(CredentialDesk, DoesTheRestOfABatchWhoseBeginningItHasSeen) {
  World world;
  world.state({.position = {"s", 0}});
  world.batch({.first = StreamPosition{"s", 1}, .changes = {make_test_credential("a")}});
  const auto answer = world.batch(
      {.first = StreamPosition{"s", 1}, .changes = {make_test_credential("a"), make_test_credential("b")}});
  EXPECT_EQ(answer.results[0].outcome, PushOutcome::repeated);
  EXPECT_EQ(answer.results[1].outcome, PushOutcome::done);
  EXPECT_EQ(answer.sequence, 2U);
}

TEST(CredentialDesk, TellsAGapWithWhatItKnows) {
  World world;
  world.state({.position = {"s", 5}});
  const auto answer =
      world.ask("POST", "/v1/credentials:batch",
                format_batch({.first = StreamPosition{"s", 7}, .changes = {by_username("x")}}));
  EXPECT_EQ(answer.status, 409U);
  EXPECT_EQ(answer.body, R"({"error":"gap","sequence":5})");
  EXPECT_EQ(world.ask("DELETE", "/v1/credentials/x?stream=s&sequence=9").status, 409U);
  EXPECT_EQ(world.ask("DELETE", "/v1/credentials/x?stream=s&sequence=6").status, 200U);
  EXPECT_EQ(world.ask("DELETE", "/v1/credentials/x?stream=s&sequence=0").status, 409U);
}

TEST(CredentialDesk, ReplacesWhatAnIssuerHasPutByItsFullState) {
  World world;
  world.batch({.changes = {make_test_credential("old"), make_test_credential("both")}});
  const auto answer = world.state({.position = {"s", 9},
                                   .credentials = {make_test_credential("both"), make_test_credential("new")},
                                   .revocations = {by_username("gone")}});
  EXPECT_EQ(answer.sequence, 9U);
  EXPECT_EQ(answer.results.size(), 2U);
  EXPECT_EQ(world.store.table.find("old"), nullptr);
  EXPECT_NE(world.store.table.find("both"), nullptr);
  EXPECT_NE(world.store.table.find("new"), nullptr);
}

TEST(CredentialDesk, KeepsTheOthersWhereTheFullStateSaysSo) {
  World world;
  world.batch({.changes = {make_test_credential("old")}});
  world.state({.position = {"s", 0}, .keeps_others = true, .credentials = {make_test_credential("new")}});
  EXPECT_NE(world.store.table.find("old"), nullptr);
}

TEST(CredentialDesk, LeavesOtherIssuersAlone) {
  World world;
  world.state({.position = {"s", 0}, .credentials = {make_test_credential("of-edge1")}});
  world.issuer = "edge2.ims.example";
  world.state({.position = {"t", 7}, .credentials = {make_test_credential("of-edge2")}});
  EXPECT_NE(world.store.table.find("of-edge1"), nullptr);
  world.issuer = "edge1.ims.example";
  world.batch({.first = StreamPosition{"s", 1}, .changes = {make_test_credential("more")}});
  EXPECT_EQ(parse_health(world.ask("GET", "/v1/health").body)->position, (StreamPosition{"s", 1}));
}

TEST(CredentialDesk, RefusesAFullStateThatIsOlderThanWhatItKnows) {
  World world;
  world.state({.position = {"s", 5}, .credentials = {make_test_credential("bob")}});
  EXPECT_EQ(world.ask("PUT", "/v1/credentials", format_state({.position = {"s", 4}})).status, 409U);
  EXPECT_NE(world.store.table.find("bob"), nullptr);
}

TEST(CredentialDesk, TellsItsHealth) {
  World world;
  world.store.told.allocations = 42;
  world.batch({.changes = {make_test_credential("bob")}});
  const auto health = parse_health(world.ask("GET", "/v1/health").body);
  ASSERT_TRUE(health);
  EXPECT_EQ(health->allocations, 42U);
  EXPECT_EQ(health->allocations_max, 100U);
  EXPECT_EQ(health->credentials, 1U);
  EXPECT_EQ(health->realm, "ims.example");
  EXPECT_FALSE(health->is_draining);
  EXPECT_FALSE(health->position);
}

TEST(CredentialDesk, ServesAllowedNamesAlone) {
  World world{{"edge1.ims.example"}};
  EXPECT_EQ(world.ask("GET", "/v1/health").status, 200U);
  world.issuer = "edge2.ims.example";
  EXPECT_EQ(world.ask("GET", "/v1/health").status, 403U);
  EXPECT_EQ(world.ask("PUT", "/v1/credentials/bob", format_credential(make_test_credential("bob"))).status,
            403U);
  EXPECT_EQ(world.store.applied, 0U);
}

TEST(CredentialDesk, ServesNobodyWithoutACertificate) {
  TableStore store;
  CredentialDesk desk{store, {}};
  EXPECT_EQ(desk.answer({.method = "GET", .target = "/v1/health"}, read_clocks().wall).status, 403U);
}

TEST(CredentialDesk, SaysWhatIsWrongWithARequest) {
  World world;
  EXPECT_EQ(world.ask("GET", "/").status, 404U);
  EXPECT_EQ(world.ask("GET", "/v1/credentialsx").status, 404U);
  EXPECT_EQ(world.ask("PUT", "/v1/credentials/").status, 400U);
  EXPECT_EQ(world.ask("PUT", "/v1/credentials/%zz", "{}").status, 400U);
  EXPECT_EQ(world.ask("GET", "/v1/credentials/bob").status, 405U);
  EXPECT_EQ(world.ask("POST", "/v1/credentials").status, 405U);
  EXPECT_EQ(world.ask("POST", "/v1/health").status, 405U);
  EXPECT_EQ(world.ask("GET", "/v1/credentials:batch").status, 405U);
  for (const char* body :
       {"", "[]", "{", "{}", R"({"expires_at":"soon"})", R"({"expires_at":-1})",
        R"({"expires_at":4000000000,"key_md5":"xyz"})", R"({"expires_at":4000000000,"policy":7})",
        R"({"expires_at":4000000000,"username":"carol"})",
        R"({"expires_at":4000000000,"policy":{"allowed_peers":["nowhere"]}})"})
    EXPECT_EQ(world.ask("PUT", "/v1/credentials/bob", body).status, 400U) << body;
  EXPECT_EQ(world.ask("PUT", "/v1/credentials/bob", R"({"expires_at":4000000000})").status, 422U);
  EXPECT_EQ(
      world.ask("PUT", "/v1/credentials/bob?stream=s", format_credential(make_test_credential("bob"))).status,
      400U);
  for (const char* body : {R"({"changes":7})", R"({"changes":[7]})", R"({"changes":[{"op":"x"}]})",
                           R"({"stream":"s","changes":[]})", R"({"stream":"","sequence":1,"changes":[]})",
                           R"({"stream":"a b","sequence":1,"changes":[]})",
                           R"({"changes":[{"op":"revoke","by":"name","value":"x","until":1}]})",
                           R"({"changes":[{"op":"revoke","by":"kid","value":"","until":1}]})",
                           R"({"changes":[{"op":"revoke","by":"kid","value":"x"}]})"})
    EXPECT_EQ(world.ask("POST", "/v1/credentials:batch", body).status, 400U) << body;
  EXPECT_EQ(world.ask("PUT", "/v1/credentials", "{}").status, 400U);
  for (const char* body :
       {R"({"expires_at":4000000000,"key_md5":"00"})", R"({"expires_at":4000000000,"key_sha256":"00"})"})
    EXPECT_EQ(world.ask("PUT", "/v1/credentials/bob", body).status, 422U) << body;
  EXPECT_EQ(world.store.applied, 3U);  // those without a key of the right size, which the store refused
}

TEST(CredentialDesk, RepeatsNoKeyInWhatItSays) {
  World world;
  const auto answer =
      world.ask("PUT", "/v1/credentials/bob", R"({"expires_at":4000000000,"key_md5":"5ec5e7"})");
  EXPECT_EQ(answer.body.find("5ec5e7"), std::string::npos);
}

TEST(CredentialDesk, ForgetsTheOwnersOfWhatHasEnded) {
  IssuerLedger ledger;
  const WallTime wall = from_unix_seconds(1'893'456'000);
  for (int i = 0; i < 100'000; ++i)
    ledger.note_put("edge", "user" + std::to_string(i), wall + std::chrono::seconds{i + 10},
                    wall + std::chrono::seconds{i});
  EXPECT_LT(ledger.size(), 2048U);
}

TEST(CredentialJson, KeepsAllOfACredential) {
  auto credential = make_test_credential("b\"o\\b");
  credential.not_before = from_unix_seconds(1'893'456'000);
  credential.policy = {
      .allocations_max = 7,
      .bytes_per_second = 125'000,
      .allowed_peers = {*IpPrefix::parse("192.0.2.0/24"), *IpPrefix::parse("2001:db8::/32")}};
  const auto read = parse_credential(format_credential(credential), credential.username);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->username, credential.username);
  EXPECT_EQ(read->subject, credential.subject);
  EXPECT_TRUE(read->key_md5 == credential.key_md5 && read->key_sha256 == credential.key_sha256);
  EXPECT_EQ(read->not_before, credential.not_before);
  EXPECT_EQ(read->expires_at, credential.expires_at);
  EXPECT_EQ(read->policy, credential.policy);
}

TEST(CredentialJson, KeepsTheHealthOfARelay) {
  const RelayHealth health{.is_draining = true,
                           .realm = "ims.example",
                           .allocations = 1,
                           .allocations_max = 2,
                           .credentials = 3,
                           .credentials_max = 4,
                           .position = StreamPosition{"s", 5}};
  EXPECT_EQ(parse_health(format_health(health)), health);
  EXPECT_FALSE(parse_health("{}"));
  EXPECT_FALSE(parse_health("null"));
}

}  // namespace
}  // namespace turnpike::service
