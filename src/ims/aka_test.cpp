#include "ims/aka.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "ims/test_core.hpp"

namespace turnpike::ims {
namespace {

using test::edge_hop;
using test::Sent;
using test::stranger_hop;
using test::World;

AkaSecret secret_with(std::uint64_t sqn) {
  // TS 35.207, test set 1.
  return {.k = Secret{*from_hex("465b5ce8b199b49faa5f0a2ee238a6bc")},
          .opc = Secret{*from_hex("cd63cb71954a9f4e48a5994e37a02baf")},
          .amf = {0xb9, 0xb9},
          .sqn = sqn};
}

AkaBlock published_rand() {
  AkaBlock rand{};
  std::ranges::copy(*from_hex("23553cbe9637a89d218ae64dae47bf35"), rand.begin());
  return rand;
}

TEST(Aka, MakesTheAutnOfThePublishedTestSet) {
  // SQN xor AK = ff9bb4d0b607 xor aa689c648370, then AMF and f1.
  EXPECT_EQ(to_hex(make_autn(secret_with(0), published_rand(), 0xff9bb4d0b607)),
            "55f328b43577b9b94a9ffac354dfafb3");
}

TEST(Aka, PasswordIsResInVersion1AndMadeOfAllKeysInVersion2) {
  const AkaSecret secret = secret_with(0);
  const MilenageAnswer answer = Milenage{secret.k.reveal(), secret.opc.reveal()}.f2345(published_rand());
  EXPECT_EQ(to_hex(make_aka_password({sip::DigestHash::md5, 1}, answer).reveal()), "a54211d5e3ba50bf");
  EXPECT_EQ(make_aka_password({sip::DigestHash::sha256, 2}, answer).reveal_text(),
            "wpC+5dv/7kC35JEI2hluv8XcBd+vf8XcfedJBan1buk=");
  EXPECT_EQ(make_aka_password({sip::DigestHash::md5, 2}, answer).reveal_text(), "shzt3q8CWaZnCAWqs3WmEQ==");
}

TEST(Aka, CardAnswersANewNumberAndRefusesAnOldOne) {
  AkaNonce nonce{.rand = published_rand()};
  nonce.autn = make_autn(secret_with(0), nonce.rand, 4096);
  const auto answer = answer_aka(secret_with(4095), nonce.text());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->sqn, 4096U);
  EXPECT_EQ(answer->auts, "");
  const auto old = answer_aka(secret_with(5000), nonce.text());
  ASSERT_TRUE(old);
  EXPECT_EQ(open_auts(secret_with(0), nonce.rand, old->auts), 5000U);
  std::string forged = old->auts;
  forged[3] = forged[3] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(open_auts(secret_with(0), nonce.rand, forged));
}

TEST(Aka, CardKnowsItsNetwork) {
  AkaNonce nonce{.rand = published_rand()};
  nonce.autn = make_autn(secret_with(0), nonce.rand, 4096);
  nonce.autn[15] ^= 1;
  EXPECT_EQ(answer_aka(secret_with(0), nonce.text()).error(), AkaFault::forged);
  EXPECT_EQ(answer_aka(secret_with(0), "c2hvcnQ=").error(), AkaFault::malformed);
  EXPECT_EQ(answer_aka(secret_with(0), "no base64").error(), AkaFault::malformed);
}

// --- against the core -------------------------------------------------------------------------------------

constexpr std::string_view impi = "card@ims.example";

test::RegisterText wish_with(std::string authorization) {
  return {.impu = "sip:card@ims.example",
          .authorization = std::move(authorization),
          .contact = "<sip:card@c1.invalid;transport=ws>",
          .call_id = "rcard"};
}

std::string initial(std::string_view mark) {
  std::string text =
      R"(Digest username="card@ims.example", realm="ims.example", uri="sip:ims.example", nonce="", response="")";
  if (!mark.empty()) text += ", integrity-protected=\"" + std::string{mark} + '"';
  return text;
}

struct CardWorld : World {
  CardWorld() {
    subscribers.add({.impi = std::string{impi}, .impus = {"sip:card@ims.example"}, .aka = secret_with(0)});
  }
  // What the client's side makes of a challenge, with the edge's mark.
  std::string answer_of(const Sent& challenge, std::string_view mark, std::uint32_t nonce_count = 1) {
    const std::string row = challenge.value("WWW-Authenticate");
    const auto credentials = sip::Credentials::parse(row);
    const auto algorithm = sip::parse_digest_algorithm(*credentials->text("algorithm"));
    auto answer = answer_aka(secret_with(card_sqn), *credentials->text("nonce"));
    check(answer.has_value(), "the card accepts the network");
    const Secret password = answer->auts.empty() ? make_aka_password(*algorithm, answer->milenage) : Secret{};
    if (answer->auts.empty()) card_sqn = answer->sqn;
    std::string text = *sip::answer_challenge(*credentials, {.username = impi,
                                                             .password = password.reveal_text(),
                                                             .method = "REGISTER",
                                                             .uri = "sip:ims.example",
                                                             .cnonce = "c0ffee",
                                                             .nonce_count = nonce_count});
    if (!answer->auts.empty()) text += ", auts=\"" + answer->auts + '"';
    if (!mark.empty()) text += ", integrity-protected=\"" + std::string{mark} + '"';
    return text;
  }
  std::uint64_t card_sqn = 0;
};

TEST(AkaRegistration, UsesVersion2BehindATlsEdge) {
  CardWorld world;
  const Sent challenge = world.ask(edge_hop, world.register_text(wish_with(initial("tls-connected"))));
  EXPECT_EQ(challenge.status(), 401);
  ASSERT_EQ(challenge.values("WWW-Authenticate").size(), 1U);
  EXPECT_NE(challenge.value("WWW-Authenticate").find("algorithm=AKAv2-SHA-256"), std::string::npos);
  const std::string authorization = world.answer_of(challenge, "tls-connected");
  const Sent ok = world.ask(edge_hop, world.register_text(wish_with(authorization)));
  EXPECT_EQ(ok.status(), 200);
  EXPECT_NE(ok.value("Authentication-Info").find("rspauth="), std::string::npos);
  // The same again is a replay.
  EXPECT_EQ(world.ask(edge_hop, world.register_text(wish_with(authorization))).status(), 401);
}

TEST(AkaRegistration, UsesVersion1WithoutAMark) {
  CardWorld world;
  const Sent challenge = world.ask(stranger_hop, world.register_text(wish_with(initial({}))));
  EXPECT_NE(challenge.value("WWW-Authenticate").find("algorithm=AKAv1-MD5"), std::string::npos);
  EXPECT_EQ(world.ask(stranger_hop, world.register_text(wish_with(world.answer_of(challenge, {})))).status(),
            200);
}

TEST(AkaRegistration, NeverUsesASequenceNumberTwice) {
  CardWorld world;
  world.ask(edge_hop, world.register_text(wish_with(initial("tls-connected"))));
  EXPECT_EQ(world.subscribers.find_private(impi)->aka->sqn, 32U);
  world.ask(edge_hop, world.register_text(wish_with(initial("tls-connected"))));
  EXPECT_EQ(world.subscribers.find_private(impi)->aka->sqn, 64U);
}

TEST(AkaRegistration, FollowsACardThatIsAhead) {
  CardWorld world;
  world.card_sqn = 100'000;
  const Sent challenge = world.ask(edge_hop, world.register_text(wish_with(initial("tls-connected"))));
  const Sent again =
      world.ask(edge_hop, world.register_text(wish_with(world.answer_of(challenge, "tls-connected"))));
  EXPECT_EQ(again.status(), 401);
  EXPECT_GT(world.subscribers.find_private(impi)->aka->sqn, 100'000U);
  EXPECT_EQ(
      world.ask(edge_hop, world.register_text(wish_with(world.answer_of(again, "tls-connected")))).status(),
      200);
}

TEST(AkaRegistration, TakesNoForgedResynchronisation) {
  CardWorld world;
  world.card_sqn = 100'000;
  const Sent challenge = world.ask(edge_hop, world.register_text(wish_with(initial("tls-connected"))));
  std::string forged = world.answer_of(challenge, "tls-connected");
  const std::size_t at = forged.find("auts=\"") + 6;
  forged[at] = forged[at] == 'A' ? 'B' : 'A';
  EXPECT_EQ(world.ask(edge_hop, world.register_text(wish_with(forged))).status(), 403);
  EXPECT_EQ(world.subscribers.find_private(impi)->aka->sqn, 32U);
}

TEST(AkaRegistration, RefusesTheCardOfAnother) {
  CardWorld world;
  const Sent challenge = world.ask(edge_hop, world.register_text(wish_with(initial("tls-connected"))));
  std::string wrong = world.answer_of(challenge, "tls-connected");
  const std::size_t at = wrong.find("response=\"") + 10;
  wrong[at] = wrong[at] == '0' ? '1' : '0';
  EXPECT_EQ(world.ask(edge_hop, world.register_text(wish_with(wrong))).status(), 403);
}

}  // namespace
}  // namespace turnpike::ims
