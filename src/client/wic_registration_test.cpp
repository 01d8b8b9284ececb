// How a WIC registers: the machine with its far side played by hand.
#include <gtest/gtest.h>

#include "client/wic_script.hpp"
#include "ims/aka.hpp"
#include "sip/digest.hpp"

namespace turnpike::client {
namespace {

using std::chrono::seconds;
using test::value_of;
using test::WicScript;

std::string header_row(std::string_view name, std::string_view value) {
  return std::string{name} + ": " + std::string{value} + "\r\n";
}

TEST(WicRegistration, NamesItselfAsRfc7118And5626Want) {
  WicScript wic;
  wic.agent.start(wic.now);
  EXPECT_TRUE(wic.take_sent().empty()) << "no flow stands yet";
  wic.open();
  const std::string text = wic.take_one();
  EXPECT_TRUE(text.starts_with("REGISTER sip:ims.example SIP/2.0\r\n"));
  EXPECT_TRUE(value_of(text, "Via").starts_with("SIP/2.0/WSS "));
  const auto message = sip::Message::parse(text);
  EXPECT_FALSE(sip::find_defect(*message));
  const auto via = sip::top_via(*message);
  EXPECT_TRUE(via->host.ends_with(".invalid"));
  EXPECT_TRUE(via->params.has("rport"));
  const auto contact = sip::first_name_addr(*message, sip::HeaderName::contact);
  EXPECT_EQ(contact->uri.host(), via->host);
  EXPECT_EQ(contact->uri.params().value("transport"), "ws");
  EXPECT_EQ(contact->params.value("reg-id"), "1");
  EXPECT_TRUE(contact->params.find("+sip.instance")->text().starts_with("<urn:uuid:"));
  EXPECT_EQ(value_of(text, "Supported"), "path, outbound, gruu");
  EXPECT_EQ(value_of(text, "Turn-Credentials"), "request");
  EXPECT_EQ(value_of(text, "Expires"), "3600");
  EXPECT_NE(value_of(text, "Authorization").find("username=\"alice@ims.example\""), std::string::npos);
  EXPECT_NE(value_of(text, "Authorization").find("nonce=\"\""), std::string::npos);
}

TEST(WicRegistration, SaysWsOverPlainWebSocket) {
  auto settings = test::alice();
  settings.is_secure = false;
  WicScript wic{settings};
  wic.open();
  wic.agent.start(wic.now);
  EXPECT_TRUE(value_of(wic.take_one(), "Via").starts_with("SIP/2.0/WS "));
}

TEST(WicRegistration, PrefersSha256AndReportsWhatItGot) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  wic.respond(wic.take_one(), 401, test::both_challenges);
  const std::string second = wic.take_one();
  EXPECT_EQ(value_of(second, "CSeq"), "2 REGISTER");
  EXPECT_NE(value_of(second, "Authorization").find("nonce=\"n2\""), std::string::npos);
  EXPECT_NE(value_of(second, "Authorization").find("algorithm=SHA-256"), std::string::npos);
  wic.accept(second,
             header_row("P-Associated-URI", "<sip:alice@ims.example>, <tel:+15551>") +
                 header_row("Turn-Credentials",
                            "<turn:192.0.2.1:3478>;username=\"u\";password=\"p\";ttl=3700;realm=\"r\""));
  const auto registered = wic.take<WicRegistered>();
  ASSERT_TRUE(registered);
  EXPECT_EQ(registered->expires, seconds{3600});
  EXPECT_EQ(registered->login_method, "SHA-256");
  EXPECT_EQ(registered->identities, (std::vector<std::string>{"sip:alice@ims.example", "tel:+15551"}));
  ASSERT_TRUE(registered->credentials);
  ASSERT_EQ(registered->credentials->entries.size(), 1U);
  EXPECT_EQ(registered->credentials->entries.front().username, "u");
  EXPECT_FALSE(registered->is_refresh);
}

// The vector of RFC 2617 section 3.5, with the cnonce that the agent draws: the digest is that of
// sip::digest.
TEST(WicRegistration, AnswersWithTheRightDigest) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  wic.respond(wic.take_one(), 401, test::md5_challenge);
  const std::string second = wic.take_one();
  const std::string value = value_of(second, "Authorization");
  const auto login = sip::Credentials::parse(value);
  const std::string cnonce = *login->text("cnonce");
  const std::string ha1 =
      sip::make_ha1(sip::DigestHash::md5, "alice@ims.example", "ims.example", "wonderland");
  EXPECT_EQ(login->text("response"), sip::make_digest_response({.ha1 = ha1,
                                                                .nonce = "n1",
                                                                .nonce_count = "00000001",
                                                                .cnonce = cnonce,
                                                                .method = "REGISTER",
                                                                .uri = "sip:ims.example"}));
}

TEST(WicRegistration, RefreshesTenMinutesEarlyOrAtHalfTimeAndReusesTheNonce) {
  WicScript wic;
  wic.enter();
  wic.advance(seconds{2999});
  EXPECT_TRUE(wic.take_sent().empty());
  wic.advance(seconds{1});
  std::string refresh = wic.take_one();
  EXPECT_NE(value_of(refresh, "Authorization").find("nc=00000002"), std::string::npos);
  wic.accept(refresh, {}, "600");
  const auto registered = wic.take<WicRegistered>();
  ASSERT_TRUE(registered);
  EXPECT_TRUE(registered->is_refresh);
  EXPECT_EQ(registered->refresh_after, seconds{300});
  wic.advance(seconds{300});
  EXPECT_NE(value_of(wic.take_one(), "Authorization").find("nc=00000003"), std::string::npos);
}

TEST(WicRegistration, TakesAFreshNonceWhenTheOldOneIsStale) {
  WicScript wic;
  wic.enter();
  wic.advance(seconds{3000});
  wic.respond(wic.take_one(), 401,
              "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"n9\", algorithm=MD5, qop=\"auth\", "
              "stale=TRUE\r\n");
  const std::string again = wic.take_one();
  EXPECT_NE(value_of(again, "Authorization").find("nonce=\"n9\""), std::string::npos);
  EXPECT_NE(value_of(again, "Authorization").find("nc=00000001"), std::string::npos);
  wic.accept(again);
  EXPECT_TRUE(wic.take<WicRegistered>());
}

TEST(WicRegistration, EndsWithAWrongPasswordAfterOneAnswer) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  wic.respond(wic.take_one(), 401, test::md5_challenge);
  wic.respond(wic.take_one(), 401, test::md5_challenge);
  EXPECT_TRUE(wic.take_sent().empty());
  const auto refused = wic.take<WicRefused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, WicRefused::Kind::login);
  EXPECT_EQ(refused->login, LoginRefusal::wrong_secret);
  EXPECT_FALSE(wic.agent.next_timeout());
}

TEST(WicRegistration, DoesNotRunAfterStaleNoncesForEver) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  int requests = 0;
  for (auto sent = wic.take_sent(); !sent.empty() && requests < 20; sent = wic.take_sent(), ++requests)
    wic.respond(sent.front(), 401,
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"n" + std::to_string(requests) +
                    "\", qop=\"auth\", stale=true\r\n");
  EXPECT_EQ(requests, 5);
  EXPECT_EQ(wic.take<WicRefused>()->login, LoginRefusal::too_many_challenges);
}

TEST(WicRegistration, SaysThatAChallengeIsOfAnotherKind) {
  for (const char* challenge :
       {"", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256, qop=\"auth\"\r\n",
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"\r\n",
        "WWW-Authenticate: Bearer authz_server=\"https://waf.example\"\r\n",
        "WWW-Authenticate: Digest realm=,\r\n"}) {
    WicScript wic;
    wic.open();
    wic.agent.start(wic.now);
    wic.respond(wic.take_one(), 401, challenge);
    const auto refused = wic.take<WicRefused>();
    ASSERT_TRUE(refused) << challenge;
    EXPECT_EQ(refused->login, LoginRefusal::unknown_challenge) << challenge;
  }
}

TEST(WicRegistration, AnswersAProxyThatAsks) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  wic.respond(wic.take_one(), 407,
              "Proxy-Authenticate: Digest realm=\"edge\", nonce=\"p\", qop=\"auth\"\r\n");
  const std::string text = wic.take_one();
  EXPECT_NE(value_of(text, "Proxy-Authorization").find("realm=\"edge\""), std::string::npos);
  EXPECT_EQ(value_of(text, "Authorization"), "");
}

TEST(WicRegistration, ShowsATokenInEitherSpelling) {
  auto settings = test::alice();
  settings.login = BearerLogin{.token = Secret::from_text("eyJ.a-b_c")};
  WicScript first{settings};
  first.open();
  first.agent.start(first.now);
  const std::string text = first.take_one();
  EXPECT_EQ(value_of(text, "Authorization"), "Bearer access_token=\"eyJ.a-b_c\"");
  settings.login = BearerLogin{Secret::from_text("eyJ.a-b_c"), BearerSpelling::bare};
  WicScript second{settings};
  second.open();
  second.agent.start(second.now);
  EXPECT_EQ(value_of(second.take_one(), "Authorization"), "Bearer eyJ.a-b_c");
  first.respond(text, 401, "WWW-Authenticate: Bearer realm=\"r\", error=\"invalid_token\"\r\n");
  const auto refused = first.take<WicRefused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->login, LoginRefusal::token_refused);
  EXPECT_EQ(refused->token_error, "invalid_token");
}

TEST(WicRegistration, IsRenewedWithANewerToken) {
  auto settings = test::alice();
  settings.login = BearerLogin{.token = Secret::from_text("older")};
  WicScript script{settings};
  script.open();
  script.agent.start(script.now);
  script.accept(script.take_one(), "", "600");
  ASSERT_TRUE(script.take<WicRegistered>());
  script.agent.change_login(BearerLogin{.token = Secret::from_text("newer")});
  EXPECT_TRUE(script.take_sent().empty());  // nothing is sent for it
  script.advance(std::chrono::seconds{300});
  EXPECT_EQ(value_of(script.take_one(), "Authorization"), "Bearer access_token=\"newer\"");
}

// The card of Milenage's test set 1 (TS 35.208 section 4.3), and its home network.
ims::AkaSecret card() {
  return {.k = Secret{*from_hex("465b5ce8b199b49faa5f0a2ee238a6bc")},
          .opc = Secret{*from_hex("cd63cb71954a9f4e48a5994e37a02baf")}};
}

std::string aka_challenge(const ims::AkaSecret& secret, std::uint64_t sqn, std::string_view algorithm) {
  ims::AkaNonce nonce{.rand = {1, 2, 3}};
  nonce.autn = ims::make_autn(secret, nonce.rand, sqn);
  return "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"" + nonce.text() +
         "\", algorithm=" + std::string{algorithm} + ", qop=\"auth\"\r\n";
}

WicAgentSettings card_settings(std::uint64_t sqn = 0) {
  auto settings = test::alice();
  settings.login = AkaLogin{.username = "alice@ims.example", .card = card()};
  std::get<AkaLogin>(settings.login).card.sqn = sqn;
  return settings;
}

TEST(WicRegistration, AnswersWithACard) {
  for (const char* algorithm : {"AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"}) {
    WicScript wic{card_settings()};
    wic.open();
    wic.agent.start(wic.now);
    const std::string first = wic.take_one();
    EXPECT_NE(value_of(first, "Authorization").find("algorithm=AKAv2-SHA-256"), std::string::npos);
    const std::string challenge = aka_challenge(card(), 32, algorithm);
    wic.respond(first, 401, challenge);
    const std::string second = wic.take_one();
    const std::string value = value_of(second, "Authorization");
    const auto login = sip::Credentials::parse(value);
    const auto answer = ims::answer_aka(card(), *login->text("nonce"));
    const auto known = *sip::parse_digest_algorithm(algorithm);
    const Secret password = ims::make_aka_password(known, answer->milenage);
    const std::string ha1 =
        sip::make_ha1(known.hash, "alice@ims.example", "ims.example", password.reveal_text());
    const std::string cnonce = *login->text("cnonce");
    const std::string nonce = *login->text("nonce");
    EXPECT_EQ(login->text("response"), sip::make_digest_response({.hash = known.hash,
                                                                  .ha1 = ha1,
                                                                  .nonce = nonce,
                                                                  .nonce_count = "00000001",
                                                                  .cnonce = cnonce,
                                                                  .method = "REGISTER",
                                                                  .uri = "sip:ims.example"}));
    wic.accept(second);
    EXPECT_EQ(wic.take<WicRegistered>()->login_method, algorithm);
  }
}

TEST(WicRegistration, ResynchronisesACardOnce) {
  WicScript wic{card_settings(1000)};
  wic.open();
  wic.agent.start(wic.now);
  wic.respond(wic.take_one(), 401, aka_challenge(card(), 32, "AKAv2-SHA-256"));
  const std::string second = wic.take_one();
  const std::string value = value_of(second, "Authorization");
  const auto auts = sip::Credentials::parse(value)->text("auts");
  ASSERT_TRUE(auts);
  EXPECT_EQ(ims::open_auts(card(), ims::AkaBlock{1, 2, 3}, *auts), 1000U);
  wic.respond(second, 401, aka_challenge(card(), 32, "AKAv2-SHA-256"));
  EXPECT_EQ(wic.take<WicRefused>()->login, LoginRefusal::out_of_step);
}

TEST(WicRegistration, KnowsANetworkThatIsNotGenuine) {
  ims::AkaSecret stranger = card();
  stranger.k = Secret{ByteVector(16, Byte{7})};
  WicScript wic{card_settings()};
  wic.open();
  wic.agent.start(wic.now);
  wic.respond(wic.take_one(), 401, aka_challenge(stranger, 32, "AKAv2-SHA-256"));
  EXPECT_EQ(wic.take<WicRefused>()->login, LoginRefusal::network_not_genuine);
  wic.agent.start(wic.now);
  wic.respond(wic.take_one(), 401, test::both_challenges);
  EXPECT_EQ(wic.take<WicRefused>()->login, LoginRefusal::unknown_challenge) << "a card has no password";
}

TEST(WicRegistration, AsksForLongerWhenItWasTooBriefAndOnlyOnce) {
  auto settings = test::alice();
  settings.expires = seconds{60};
  WicScript wic{settings};
  wic.open();
  wic.agent.start(wic.now);
  wic.respond(wic.take_one(), 423, "Min-Expires: 600\r\n");
  const std::string longer = wic.take_one();
  EXPECT_EQ(value_of(longer, "Expires"), "600");
  wic.respond(longer, 423, "Min-Expires: 600\r\n");
  EXPECT_TRUE(wic.take_sent().empty());
  EXPECT_EQ(wic.take<WicRefused>()->code, 423);
}

TEST(WicRegistration, WaitsAsLongAsItIsToldAndGivesUpAtLast) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  for (int i = 0; i < 3; ++i) {
    wic.respond(wic.take_one(), 503, "Retry-After: 7 (busy);duration=9\r\n");
    ASSERT_EQ(wic.take<WicRetrying>()->after, seconds{7});
    wic.advance(seconds{6});
    EXPECT_TRUE(wic.take_sent().empty());
    wic.advance(seconds{1});
  }
  wic.respond(wic.take_one(), 503, "Retry-After: 7\r\n");
  const auto refused = wic.take<WicRefused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, 503);
  EXPECT_EQ(refused->retry_after, seconds{7});
  wic.advance(seconds{100});
  EXPECT_TRUE(wic.take_sent().empty());
}

TEST(WicRegistration, DoesNotWaitForHoursNorAfterARefusal) {
  for (const auto& [code, row] :
       {std::pair{503, "Retry-After: 86400\r\n"}, std::pair{503, "Retry-After: soon\r\n"},
        std::pair{403, "Retry-After: 1\r\n"}, std::pair{404, ""}}) {
    WicScript wic;
    wic.open();
    wic.agent.start(wic.now);
    wic.respond(wic.take_one(), static_cast<std::uint16_t>(code), row);
    EXPECT_EQ(wic.take<WicRefused>()->code, code);
    EXPECT_FALSE(wic.agent.next_timeout());
  }
}

TEST(WicRegistration, TellsThatNoAnswerHasCome) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  const std::string request = wic.take_one();
  wic.advance(seconds{32});
  EXPECT_EQ(wic.take<WicRefused>()->kind, WicRefused::Kind::no_answer);
  wic.accept(request);
  EXPECT_FALSE(wic.agent.is_registered()) << "an answer that comes too late";
  wic.agent.start(wic.now);
  wic.accept(wic.take_one());
  EXPECT_TRUE(wic.agent.is_registered());
}

TEST(WicRegistration, RegistersAgainOverTheNextFlow) {
  WicScript wic;
  wic.enter();
  wic.agent.on_flow_closed(wic.now);
  EXPECT_EQ(wic.take<WicRefused>()->kind, WicRefused::Kind::flow_closed);
  EXPECT_FALSE(wic.agent.is_registered());
  wic.advance(seconds{4000});
  EXPECT_TRUE(wic.take_sent().empty());
  wic.open();
  const std::string again = wic.take_one();
  EXPECT_NE(value_of(again, "Contact").find("reg-id=1"), std::string::npos);
  wic.accept(again);
  EXPECT_TRUE(wic.agent.is_registered());
}

TEST(WicRegistration, EndsWithExpiresZero) {
  WicScript wic;
  wic.enter();
  wic.agent.stop(wic.now);
  const std::string last = wic.take_one();
  EXPECT_EQ(value_of(last, "Expires"), "0");
  EXPECT_EQ(value_of(last, "Turn-Credentials"), "");
  wic.respond(last, 200);
  EXPECT_TRUE(wic.take<WicUnregistered>());
  EXPECT_FALSE(wic.agent.is_registered());
  wic.advance(seconds{5000});
  EXPECT_TRUE(wic.take_sent().empty());
}

TEST(WicRegistration, StopsOnceTheAnswerIsThereThatItWaitedFor) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  const std::string first = wic.take_one();
  wic.agent.stop(wic.now);
  EXPECT_TRUE(wic.take_sent().empty());
  wic.accept(first);
  const std::string last = wic.take_one();
  EXPECT_EQ(value_of(last, "Expires"), "0");
  wic.respond(last, 200);
  EXPECT_TRUE(wic.take<WicUnregistered>());
}

TEST(WicRegistration, FindsItsOwnContactAmongOthers) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  const std::string request = wic.take_one();
  const std::string own = value_of(request, "Contact");
  wic.respond(request, 200,
              "Contact: <sip:alice@b.invalid>;+sip.instance=\"<urn:uuid:other>\";expires=99,\r\n " + own +
                  ";expires=1800\r\n");
  EXPECT_EQ(wic.take<WicRegistered>()->expires, seconds{1800});
}

TEST(WicRegistration, RefusesA200WithoutItsContact) {
  for (const char* rows : {"", "Contact: <sip:alice@b.invalid>;+sip.instance=\"<urn:uuid:other>\"\r\n",
                           "Contact: <sip:alice@x>;expires=0\r\n", "Contact: <sip:\r\n"}) {
    WicScript wic;
    wic.open();
    wic.agent.start(wic.now);
    wic.respond(wic.take_one(), 200, rows);
    EXPECT_FALSE(wic.agent.is_registered()) << rows;
    EXPECT_EQ(wic.take<WicRefused>()->kind, WicRefused::Kind::malformed_answer) << rows;
  }
}

TEST(WicRegistration, ReadsCredentialsFromABody) {
  auto settings = test::alice();
  settings.credentials = CredentialsAsk::body;
  WicScript wic{settings};
  wic.open();
  wic.agent.start(wic.now);
  const std::string request = wic.take_one();
  EXPECT_EQ(value_of(request, "Accept"), "application/turn-credentials+json");
  EXPECT_EQ(value_of(request, "Turn-Credentials"), "");
  wic.accept(request, "Content-Type: application/turn-credentials+json\r\n", "3600",
             R"({"iceServers":[{"urls":["turn:192.0.2.1:3478"],"username":"u","credential":"p",)"
             R"("credentialType":"password"}],"realm":"r","ttl":3720,"expires_at":1893456000,)"
             R"("refresh_after":1200})");
  const auto registered = wic.take<WicRegistered>();
  ASSERT_TRUE(registered && registered->credentials);
  EXPECT_TRUE(registered->credentials->is_from_body);
  EXPECT_EQ(registered->credentials->problem, "");
  EXPECT_EQ(registered->refresh_after, seconds{1200}) << "with the credential, not with the registration";
}

TEST(WicRegistration, StaysRegisteredWhenTheCredentialsAreMalformed) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  wic.accept(wic.take_one(), header_row("Turn-Credentials", "<turn:192.0.2.1>;username="));
  const auto registered = wic.take<WicRegistered>();
  ASSERT_TRUE(registered && registered->credentials);
  EXPECT_TRUE(registered->credentials->entries.empty());
  EXPECT_NE(registered->credentials->problem, "");
}

TEST(WicRegistration, TellsWhyThereAreNoCredentials) {
  WicScript wic;
  wic.open();
  wic.agent.start(wic.now);
  wic.accept(wic.take_one(), header_row("Warning", "399 edge.example \"no relay answers\""));
  const auto registered = wic.take<WicRegistered>();
  ASSERT_TRUE(registered);
  EXPECT_FALSE(registered->credentials);
  EXPECT_EQ(registered->warning, "no relay answers");
}

TEST(WicRegistration, TracesWithoutSecrets) {
  auto settings = test::alice();
  settings.login = BearerLogin{.token = Secret::from_text("super-secret-token")};
  WicScript wic{settings};
  wic.open();
  wic.agent.start(wic.now);
  wic.accept(wic.take_one(),
             header_row("Turn-Credentials",
                        "<turn:192.0.2.1>;username=\"u\";password=\"super-secret\";ttl=600;realm=\"r\""));
  while (const auto traced = wic.take<WicTraced>())
    EXPECT_EQ((traced->message + traced->detail).find("super-secret"), std::string::npos);
}

}  // namespace
}  // namespace turnpike::client
