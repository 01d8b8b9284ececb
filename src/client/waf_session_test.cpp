// Sessions with a WAF that is played by hand, over sockets of the loopback interface.
#include "client/waf_session.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/percent.hpp"
#include "client/tiny_site.hpp"
#include "client/wic_waf.hpp"

namespace turnpike::client {
namespace {

using std::chrono::seconds;
using test::http_answer;
using test::TinySite;

std::string part_of(const std::string& text, std::string_view before, std::string_view stops) {
  const auto at = text.find(before);
  if (at == std::string::npos) return {};
  const auto from = at + before.size();
  return text.substr(from, text.find_first_of(stops, from) - from);
}

// Its answers to the token endpoint, in their order; the last one is repeated.
struct Scene {
  std::vector<std::string> token_answers{};
  std::atomic<std::size_t> token_requests = 0;
};

std::string tokens(const std::string& refresh_token, int life = 3600) {
  return http_answer(200, R"({"access_token":"eyJ","token_type":"Bearer","expires_in":)" +
                              std::to_string(life) + R"(,"refresh_token":")" + refresh_token + R"("})");
}
const std::string revoked =
    http_answer(400, R"({"error":"invalid_grant","error_description":"it was revoked"})");
const std::string busy = http_answer(503, R"({"error":"temporarily_unavailable"})");

std::string play(Scene& scene, const std::string& request) {
  const std::string origin = "http://" + part_of(request, "Host: ", "\r");
  if (request.starts_with("GET /.well-known/"))
    return http_answer(200, R"({"issuer":")" + origin + R"(","authorization_endpoint":")" + origin +
                                R"(/authorize","token_endpoint":")" + origin +
                                R"(/token","revocation_endpoint":")" + origin +
                                R"(/revoke","code_challenge_methods_supported":["S256"]})");
  if (request.starts_with("GET /authorize"))
    return http_answer(200, "<form method=post action=/login><input type=hidden name=state value=\"" +
                                part_of(request, "&state=", "& ") +
                                "\"><input name=name><input type=password name=password></form>");
  if (request.starts_with("POST /login"))
    return http_answer(
        303, "", "Location: http://127.0.0.1/done?code=c&state=" + part_of(request, "state=", "& ") + "\r\n");
  if (request.starts_with("POST /token"))
    return scene.token_answers[std::min(scene.token_requests++, scene.token_answers.size() - 1)];
  return http_answer(200, "");
}

class Session : public ::testing::Test {
 protected:
  WafSettings settings(WafLoginWay way = WafLoginWay::form) {
    return {.issuer = site.origin(), .way = way, .login = {"alice", Secret::from_text("wonderland")}};
  }
  std::string last() { return site.requests().back(); }
  std::size_t count(std::string_view start) {
    const auto asked = site.requests();
    return static_cast<std::size_t>(
        std::ranges::count_if(asked, [&](const std::string& one) { return one.starts_with(start); }));
  }
  Scene scene{};
  TinySite site{[this](const std::string& request) { return play(scene, request); }};
};

TEST_F(Session, LogsInRenewsAndEnds) {
  scene.token_answers = {tokens("r1"), tokens("r2"), tokens("r3")};
  WafSession session{settings()};
  const auto first = session.log_in({});
  ASSERT_TRUE(first) << first.error().found;
  EXPECT_EQ(first->registration.reveal_text(), "eyJ");
  EXPECT_NE(last().find("grant_type=authorization_code&code=c"), std::string::npos);
  EXPECT_NE(last().find("&client_id=wic"), std::string::npos);
  ASSERT_TRUE(session.renew({}));
  EXPECT_NE(last().find("refresh_token=r1"), std::string::npos);
  ASSERT_TRUE(session.renew({}));
  EXPECT_NE(last().find("refresh_token=r2"), std::string::npos);
  session.end({});
  EXPECT_NE(last().find("token=r3"), std::string::npos);
  session.end({});
  EXPECT_EQ(count("POST /revoke"), 1U);
  EXPECT_EQ(count("GET /.well-known/"), 1U);
}

TEST_F(Session, LogsInAgainWhereTheAuthorizationIsOver) {
  scene.token_answers = {tokens("r1"), revoked, tokens("r2")};
  WafSession session{settings()};
  ASSERT_TRUE(session.log_in({}));
  ASSERT_TRUE(session.renew({}));
  EXPECT_EQ(count("POST /login"), 2U);
  ASSERT_TRUE(session.renew({}));
  EXPECT_NE(last().find("refresh_token=r2"), std::string::npos);
}

TEST_F(Session, KeepsItsRefreshTokenWhereTheWafIsBusy) {
  scene.token_answers = {tokens("r1"), busy, tokens("r2")};
  WafSession session{settings()};
  ASSERT_TRUE(session.log_in({}));
  const auto failed = session.renew({});
  ASSERT_FALSE(failed);
  EXPECT_FALSE(failed.error().is_final);
  ASSERT_TRUE(session.renew({}));
  EXPECT_NE(last().find("refresh_token=r1"), std::string::npos);
  EXPECT_EQ(count("POST /login"), 1U);
}

TEST_F(Session, OfAClientNeedsNoUser) {
  scene.token_answers = {http_answer(200, R"({"access_token":"eyJ","token_type":"Bearer","expires_in":60})")};
  auto client = settings(WafLoginWay::client_credentials);
  client.client_secret = Secret::from_text("s:e");
  WafSession session{client};
  ASSERT_TRUE(session.log_in({}));
  EXPECT_NE(last().find("Authorization: Basic " + to_base64(as_bytes("wic:s%3Ae"))), std::string::npos);
  EXPECT_EQ(last().find("client_id="), std::string::npos);
  EXPECT_TRUE(session.can_renew());
  ASSERT_TRUE(session.renew({}));
  session.end({});
  EXPECT_EQ(count("POST /token"), 2U);
  EXPECT_EQ(count("POST /revoke"), 0U);
}

TEST_F(Session, TellsItsStepsWithoutSecrets) {
  scene.token_answers = {tokens("r1")};
  std::string said;
  std::size_t round_trips = 0;
  WafSession session{settings()};
  ASSERT_TRUE(session.log_in(
      {.on_step = [&](const WafStep& step) { said += step.message + ' ' + step.detail + '\n'; },
       .on_round_trip =
           [&](WafRoundTrip trip) {
             EXPECT_LE(trip.began, trip.ended);
             ++round_trips;
           }}));
  EXPECT_EQ(round_trips, 4U);
  EXPECT_NE(said.find("POST /token authorization_code"), std::string::npos) << said;
  for (const char* secret : {"wonderland", "eyJ", "r1", "code=c", "state="})
    EXPECT_EQ(said.find(secret), std::string::npos) << secret << '\n' << said;
}

TEST_F(Session, IsWithTheIssuerThatWasMeant) {
  auto other = settings();
  other.issuer += "/tenant";
  WafSession session{other};
  const auto failed = session.log_in({});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().found.find("is not the WAF: it calls itself " + site.origin()), std::string::npos)
      << failed.error().found;
  EXPECT_TRUE(failed.error().is_final);
}

TEST_F(Session, OfABrowserWaitsForItsAnswer) {
  scene.token_answers = {tokens("r1")};
  WafSession session{settings(WafLoginWay::browser)};
  std::thread browser;
  const auto open = [&](const std::string& url) {
    browser = std::thread{[url] {
      const std::string redirect = *decode_percent(part_of(url, "redirect_uri=", "&"), true);
      const std::string state = part_of(url, "state=", "&");
      EXPECT_EQ(exchange({.url = *HttpUrl::parse(redirect + "?code=c&state=forged")}, {})->status, 404U);
      EXPECT_EQ(exchange({.url = *HttpUrl::parse(redirect + "?code=c&state=" + state)}, {})->status, 200U);
    }};
  };
  const auto got = session.log_in({.on_url = open});
  browser.join();
  ASSERT_TRUE(got) << got.error().found;
  auto impatient = settings(WafLoginWay::browser);
  impatient.patience = seconds{0};
  EXPECT_EQ(WafSession{impatient}.log_in({}).error().found, "nobody has logged in with the browser");
  impatient.redirect_uri = "https://wic.example/done";
  EXPECT_NE(WafSession{impatient}.log_in({}).error().found.find("no browser can bring a code to"),
            std::string::npos);
}

// --- in the background ------------------------------------------------------------------------------------

class Background : public Session {
 protected:
  // Waits until the thread is done, as the loop of a WIC does.
  std::optional<std::expected<OAuthTokens, WafFailure>> renewed(WicWaf& waf, Now now) {
    waf.on_timeout(now);
    pollfd polled{waf.descriptor(), POLLIN, 0};
    EXPECT_EQ(::poll(&polled, 1, 20'000), 1);
    return waf.take_renewal(now);
  }
  Timeline timeline{read_clocks().mono, {}};
};

TEST_F(Background, FetchesNewerTokensInTime) {
  scene.token_answers = {tokens("r1", 600), tokens("r2", 600)};
  WicWaf waf{{.session = settings()}, timeline};
  ASSERT_TRUE(waf.log_in());
  ASSERT_TRUE(waf.next_timeout());
  Now now = read_clocks();
  EXPECT_GT(*waf.next_timeout() - now.mono, seconds{290});
  EXPECT_LE(*waf.next_timeout() - now.mono, seconds{300});
  waf.on_timeout(now);  // too early
  EXPECT_FALSE(waf.take_renewal(now));
  now.mono = *waf.next_timeout();
  const auto before = waf.round_trips().size();
  const auto renewal = renewed(waf, now);
  ASSERT_TRUE(renewal && *renewal);
  EXPECT_EQ(waf.renewals(), 1U);
  EXPECT_EQ(waf.round_trips().size(), before + 1);
  EXPECT_EQ(*waf.next_timeout(), now.mono + seconds{300});
  EXPECT_FALSE(waf.take_renewal(now));
  waf.end();
  EXPECT_FALSE(waf.next_timeout());
  EXPECT_NE(last().find("token=r2"), std::string::npos);
}

TEST_F(Background, TriesAgainWithPatience) {
  scene.token_answers = {tokens("r1", 600), busy, busy, tokens("r2", 600)};
  WicWaf waf{{.session = settings()}, timeline};
  ASSERT_TRUE(waf.log_in());
  Now now = read_clocks();
  for (const seconds wait : {seconds{1}, seconds{2}}) {
    now.mono = *waf.next_timeout();
    const auto renewal = renewed(waf, now);
    ASSERT_TRUE(renewal && !*renewal);
    EXPECT_EQ(*waf.next_timeout(), now.mono + wait);
  }
  now.mono = *waf.next_timeout();
  EXPECT_TRUE(*renewed(waf, now));
  EXPECT_EQ(waf.renewals(), 1U);
}

TEST_F(Background, StopsWhereTheWafHasSaidNo) {
  scene.token_answers = {tokens("r1", 600), revoked};
  WicWaf waf{{.session = settings()}, timeline};
  ASSERT_TRUE(waf.log_in());
  Now now = read_clocks();
  now.mono = *waf.next_timeout();
  const auto renewal = renewed(waf, now);
  ASSERT_TRUE(renewal && !*renewal);
  EXPECT_TRUE(renewal->error().is_final);
  EXPECT_FALSE(waf.next_timeout());
}

TEST_F(Background, IsWaitedForAtTheEnd) {
  scene.token_answers = {tokens("r1", 600), tokens("r2", 600)};
  WicWaf waf{{.session = settings()}, timeline};
  ASSERT_TRUE(waf.log_in());
  Now now = read_clocks();
  now.mono = *waf.next_timeout();
  waf.on_timeout(now);
  waf.end();
  EXPECT_EQ(waf.renewals(), 1U);
  EXPECT_NE(last().find("token=r2"), std::string::npos);  // the newest one is given back
}

TEST(RoundTrips, CountWhereTheyOverlap) {
  const auto at = [](int second) { return Instant{} + seconds{second}; };
  const std::vector<WafRoundTrip> trips{{at(1), at(2)}, {at(4), at(6)}, {at(8), at(9)}};
  EXPECT_EQ(count_round_trips(trips, at(3), at(3)), 0U);
  EXPECT_EQ(count_round_trips(trips, at(5), at(5)), 1U);
  EXPECT_EQ(count_round_trips(trips, at(2), at(4)), 2U);
  EXPECT_EQ(count_round_trips(trips, at(0), at(10)), 3U);
  EXPECT_EQ(count_round_trips({}, at(0), at(10)), 0U);
}

}  // namespace
}  // namespace turnpike::client
