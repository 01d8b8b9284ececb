#include "client/probe_advice.hpp"

#include <gtest/gtest.h>

namespace turnpike::client {
namespace {

using turn::ClientFailure;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool advises(const Diagnosis& diagnosis, std::string_view part) {
  for (const std::string& advice : diagnosis.advice)
    if (contains(advice, part)) return true;
  return false;
}

const WallTime noon = from_unix_seconds(1'893'412'800);  // 2029-12-31 12:00:00

ProbeEvidence evidence_of(std::string username = "alice") {
  ProbeEvidence evidence{.server = *SocketAddress::parse("192.0.2.10:3478"), .wall = noon};
  evidence.has_answered_before = true;
  evidence.description.realm = "ims.example";
  evidence.realms = {"ims.example"};
  evidence.credential = turn::PasswordCredential{std::move(username), Secret::from_text("pw")};
  return evidence;
}

ProbeEvidence token_evidence(bool coturn16) {
  ProbeEvidence evidence = evidence_of();
  evidence.credential = turn::TokenCredential{"k1", {1}, Secret::from_text("mac"), coturn16};
  return evidence;
}

Diagnosis refused(std::uint16_t code, const ProbeEvidence& evidence,
                  stun::Method method = stun::Method::allocate) {
  return diagnose_failure({.kind = ClientFailure::Kind::refused, .method = method, .code = code}, evidence);
}

TEST(UsernameExpiry, IsReadFromTheTimeStampInFront) {
  const auto past = find_username_expiry("1893412680:bob", noon);
  ASSERT_TRUE(past);
  EXPECT_TRUE(past->is_expired);
  EXPECT_EQ(past->words, "expired 2 minutes ago, at 2029-12-31 11:58:00 UTC");
  const auto future = find_username_expiry("1893456000:k1.bob", noon);
  ASSERT_TRUE(future);
  EXPECT_FALSE(future->is_expired);
  EXPECT_EQ(future->words, "is valid for another 12 hours, until 2030-01-01 00:00:00 UTC");
}

TEST(UsernameExpiry, IsNotSeenInOrdinaryNames) {
  for (const char* name : {"alice", "", "1234", "17abc:bob", "99999999999999999999:bob", "alice:1893456000"})
    EXPECT_FALSE(find_username_expiry(name, noon)) << name;
}

TEST(ProbeAdvice, SaysThatAComputedNameHasExpired) {
  const Diagnosis diagnosis = refused(401, evidence_of("1893412680:bob"));
  EXPECT_TRUE(contains(diagnosis.verdict, "expired 2 minutes ago"));
  EXPECT_TRUE(advises(diagnosis, "clocks"));
}

TEST(ProbeAdvice, SuspectsTheSecretWhereAComputedNameIsStillGood) {
  EXPECT_TRUE(advises(refused(401, evidence_of("1893456000:bob")), "HMAC-SHA1(secret, username)"));
}

TEST(ProbeAdvice, NamesTheRealmsWhenTheyDiffer) {
  ProbeEvidence evidence = evidence_of();
  evidence.realms = {"a.example", "b.example"};
  EXPECT_TRUE(advises(refused(401, evidence), "from \"a.example\" to \"b.example\""));
}

TEST(ProbeAdvice, KnowsWhyTokensAreRefused) {
  EXPECT_TRUE(advises(refused(401, token_evidence(false)), "does not say that it takes tokens"));
  ProbeEvidence evidence = token_evidence(false);
  evidence.description.token_server_name = "turn.ims.example";
  EXPECT_TRUE(advises(refused(401, evidence), "\"turn.ims.example\""));
  EXPECT_TRUE(advises(refused(401, evidence), "try the coturn16 option"));
  EXPECT_TRUE(advises(refused(401, token_evidence(true)), "leave that option out"));
}

TEST(ProbeAdvice, HasAVerdictAndAdviceForEveryCode) {
  const std::vector<std::uint16_t> codes{300, 400, 401, 403, 420, 437, 438, 440,
                                         441, 442, 443, 486, 500, 508, 599};
  for (const std::uint16_t code : codes) {
    const Diagnosis diagnosis = refused(code, evidence_of());
    EXPECT_FALSE(diagnosis.verdict.empty()) << code;
    EXPECT_FALSE(diagnosis.advice.empty()) << code;
    EXPECT_TRUE(contains(diagnosis.verdict, std::to_string(code)) || code == 300) << diagnosis.verdict;
  }
}

TEST(ProbeAdvice, NamesTheServerThatWeAreSentTo) {
  const auto other = *SocketAddress::parse("192.0.2.99:3478");
  const Diagnosis diagnosis = diagnose_failure({.kind = ClientFailure::Kind::refused,
                                                .method = stun::Method::allocate,
                                                .code = 300,
                                                .alternate = other},
                                               evidence_of());
  EXPECT_TRUE(advises(diagnosis, "turn:192.0.2.99:3478"));
}

TEST(ProbeAdvice, TellsSilenceFromAClosedPort) {
  ProbeEvidence evidence = evidence_of();
  evidence.has_answered_before = false;
  const ClientFailure failure{.kind = ClientFailure::Kind::no_answer, .method = stun::Method::binding};
  EXPECT_TRUE(contains(diagnose_failure(failure, evidence).verdict, "No answer from 192.0.2.10:3478"));
  evidence.port_unreachable = true;
  EXPECT_TRUE(contains(diagnose_failure(failure, evidence).verdict, "Nothing listens on UDP port 3478"));
  evidence.port_unreachable = false;
  evidence.send_error = "Network is unreachable";
  EXPECT_TRUE(contains(diagnose_failure(failure, evidence).verdict, "Network is unreachable"));
  EXPECT_TRUE(contains(diagnose_failure(failure, evidence_of()).verdict, "has answered before"));
}

TEST(ProbeAdvice, ExplainsABidDownAndAnswersThatProveNothing) {
  const auto verdict_of = [](ClientFailure::Kind kind, std::uint16_t code) {
    return diagnose_failure({.kind = kind, .method = stun::Method::allocate, .code = code}, evidence_of());
  };
  EXPECT_TRUE(contains(verdict_of(ClientFailure::Kind::bid_down, 0).verdict, "SHA-256"));
  EXPECT_TRUE(contains(verdict_of(ClientFailure::Kind::malformed_answer, 0).verdict, "malformed"));
  EXPECT_TRUE(advises(verdict_of(ClientFailure::Kind::unauthentic_answer, 486), "quota"));
}

TEST(ProbeAdvice, FindsRelayAddressesThatNobodyReaches) {
  const auto problem = [](const char* relayed, const char* server) {
    return find_relayed_address_problem(*IpAddress::parse(relayed), *IpAddress::parse(server)).value_or("");
  };
  EXPECT_TRUE(contains(problem("10.0.0.5", "8.8.8.8"), "private"));
  EXPECT_TRUE(contains(problem("127.0.0.1", "8.8.8.8"), "loopback"));
  EXPECT_TRUE(contains(problem("0.0.0.0", "8.8.8.8"), "nobody can send"));
  EXPECT_EQ(problem("127.0.0.1", "127.0.0.1"), "");
  EXPECT_EQ(problem("10.0.0.5", "10.0.0.5"), "");
  EXPECT_EQ(problem("9.9.9.9", "8.8.8.8"), "");
}

TEST(ProbeAdvice, KnowsThePortsOfWhichBrowsersKeepAway) {
  EXPECT_TRUE(contains(find_server_port_problem(5060).value_or(""), "port 5060"));
  EXPECT_TRUE(contains(find_server_port_problem(600).value_or(""), "port 600"));
  EXPECT_EQ(find_server_port_problem(443), std::nullopt);
  EXPECT_TRUE(contains(find_relayed_port_problem(10080).value_or(""), "port 10080"));
  EXPECT_TRUE(contains(find_relayed_port_problem(443).value_or(""), "port 443"));
  EXPECT_EQ(find_relayed_port_problem(49152), std::nullopt);
}

TEST(ProbeAdvice, DescribesWhatTheServerAsksFor) {
  turn::ServerDescription description{
      .realm = "r", .nonce = {}, .software = "s", .token_server_name = "t", .algorithms = {{2, 1, 9}, 3}};
  EXPECT_EQ(describe_challenge(description),
            "realm \"r\", SHA-256 or MD5 or 0x0009 logins, takes tokens for \"t\", software \"s\"");
}

TEST(ProbeAdvice, OffersAnotherPeerWhereTheRelayRefusesThisMachine) {
  const Diagnosis loopback =
      diagnose_forbidden_peers({*SocketAddress::parse("127.0.0.1:5000")}, evidence_of());
  EXPECT_TRUE(advises(loopback, "--allow-loopback-peers"));
  EXPECT_TRUE(advises(loopback, "--peer"));
  const Diagnosis lan = diagnose_forbidden_peers({*SocketAddress::parse("10.0.0.7:5000")}, evidence_of());
  EXPECT_TRUE(advises(lan, "allow = [\"10.0.0.7\"]"));
}

}  // namespace
}  // namespace turnpike::client
