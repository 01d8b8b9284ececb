#include "waf/authorization.hpp"

#include "waf/redirect_uri.hpp"
#include "waf/test_world.hpp"

namespace turnpike::waf {
namespace {

using namespace std::chrono_literals;

std::string with_many(const std::string& name, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += name + std::to_string(i) + "=1";
  return text;
}

struct Authorization : testing::Test {
  World world;
  Browser browser{world};
  Parameters parameters = authorization_parameters();

  std::string error_of(const Parameters& asked) {
    browser.get(asked);
    return browser.location().empty() ? "page" : browser.answer("error");
  }
};

TEST_F(Authorization, LogsTheUserInAndGivesTheClientACode) {
  EXPECT_EQ(browser.get(parameters).status, 200u);
  EXPECT_TRUE(browser.shows("<label for=\"password\">"));
  browser.log_in("alice");
  EXPECT_EQ(browser.page.status, 303u);
  EXPECT_TRUE(browser.location().starts_with("https://wic.example/done?code="));
  EXPECT_EQ(browser.answer("state"), "s&1");
  EXPECT_EQ(browser.answer("iss"), issuer) << "against mix-up (RFC 9207)";
  EXPECT_EQ(browser.answer("code").size(), 43u);
  EXPECT_EQ(browser.page.find("cache-control"), "no-store");
  EXPECT_EQ(browser.page.find("referrer-policy"), "no-referrer");

  const std::string first = browser.answer("code");
  browser.get(parameters);
  EXPECT_EQ(browser.page.status, 303u) << "who has logged in is not asked again";
  EXPECT_NE(browser.answer("code"), first);
}

TEST_F(Authorization, GoesNowhereWhenTheRedirectCannotBeTrusted) {
  const std::string_view good = "https://wic.example/done";
  for (const char* trick : {"https://wic.example/done/",
                            "https://wic.example/done?x=1",
                            "https://wic.example/done#x",
                            "https://wic.example/Done",
                            "https://WIC.example/done",
                            "https://wic.example:443/done",
                            "https://wic.example/../done",
                            "https://wic.example/done/../evil",
                            "https://wic.example.evil.example/done",
                            "https://wic.example@evil.example/done",
                            "https://evil.example/https://wic.example/done",
                            "http://wic.example/done",
                            "//wic.example/done",
                            "https://wic.example/done%2f",
                            "javascript:alert(1)",
                            "http://127.0.0.1.evil.example/done",
                            "http://127.0.0.1:80@evil.example/done",
                            "http://localhost/done",
                            "http://127.0.0.1:99999/done",
                            "http://127.0.0.1:1/other",
                            "http://127.0.0.1:0x50/done",
                            "http://[::1]:80/done",
                            "https://127.0.0.1/done",
                            "https://other.example/done?tenant=1"}) {
    browser.get(with(parameters, "redirect_uri", trick));
    EXPECT_EQ(browser.page.status, 400u) << trick;
    EXPECT_EQ(browser.location(), "") << trick;
  }
  EXPECT_EQ(error_of(with(parameters, "client_id", "nobody")), "page");
  EXPECT_EQ(error_of(with(parameters, "client_id", "")), "page");
  EXPECT_EQ(error_of(with(parameters, "redirect_uri", "")), "page") << "it has two";
  const std::string query = format_form(parameters);
  browser.get(query + "&redirect_uri=" + encode_percent(good));
  EXPECT_EQ(browser.location(), "") << "repeated";
  browser.get(query + "&client_id=wic");
  EXPECT_EQ(browser.location(), "") << "repeated";
}

TEST_F(Authorization, TakesAnyPortOfALoopbackAddress) {
  browser.get(with(parameters, "redirect_uri", "http://127.0.0.1:51004/done"));
  EXPECT_EQ(browser.page.status, 200u);
  browser.log_in("alice");
  EXPECT_TRUE(browser.location().starts_with("http://127.0.0.1:51004/done?code="));
}

TEST_F(Authorization, KeepsWhatTheRedirectHadAndNeedsNoneWhereThereIsOne) {
  browser.get(with(authorization_parameters("other"), "redirect_uri", ""));
  browser.log_in("alice");
  browser.decide("allow");
  EXPECT_TRUE(browser.location().starts_with("https://other.example/done?tenant=1&code="));
}

TEST_F(Authorization, TellsTheClientWhatIsWrong) {
  const auto wrong = [&](std::string_view name, std::string_view value) {
    return error_of(with(parameters, name, value));
  };
  EXPECT_EQ(wrong("response_type", ""), "invalid_request");
  EXPECT_EQ(wrong("response_type", "token"), "unsupported_response_type");
  EXPECT_EQ(wrong("response_type", "code id_token"), "unsupported_response_type");
  EXPECT_EQ(wrong("response_mode", "fragment"), "invalid_request");
  EXPECT_EQ(wrong("scope", "ims admin"), "invalid_scope");
  EXPECT_EQ(wrong("scope", "ims \"turn\""), "invalid_scope");
  EXPECT_EQ(wrong("resource", "https://elsewhere.example/"), "invalid_target");
  EXPECT_EQ(wrong("resource", "https://epcscf.ims.example/#x"), "invalid_target");
  EXPECT_EQ(wrong("prompt", "select_account"), "invalid_request");
  EXPECT_EQ(wrong("request", "eyJ"), "request_not_supported");
  EXPECT_EQ(wrong("request_uri", "https://x.example/"), "request_uri_not_supported");
  EXPECT_EQ(wrong("dpop_jkt", "short"), "invalid_request");
  EXPECT_EQ(wrong("state", std::string(1025, 's')), "invalid_request");
  EXPECT_EQ(browser.answer("iss"), issuer);
  EXPECT_NE(browser.answer("error_description"), "");
  wrong("scope", "admin");
  EXPECT_EQ(browser.answer("state"), "s&1");

  Client client = *world.ledger.find_client("wic");
  client.grants = {};
  world.ledger.put_client(client);
  EXPECT_EQ(error_of(parameters), "unauthorized_client");
  client.is_enabled = false;
  world.ledger.put_client(client);
  EXPECT_EQ(error_of(parameters), "page");
}

// RFC 6749 section 4.1.2.1: also of a request that cannot be read as a whole.
TEST_F(Authorization, TellsTheClientWhatItCannotRead) {
  const std::string query = format_form(parameters);
  for (const std::string& more :
       {std::string{"&scope=ims&scope=ims"}, std::string{"&code_challenge_method=S256"},
        std::string{"&x=%0a"}, std::string{"&x=%ff"}, std::string{"&x=%4"}, std::string{"&%zz=1"},
        "&x=" + std::string(8192, 'x'), with_many("&x", 64)}) {
    browser.get(query + more);
    EXPECT_TRUE(browser.location().starts_with("https://wic.example/done?error=invalid_request&")) << more;
    EXPECT_EQ(browser.answer("state"), "s&1") << more;
    EXPECT_EQ(browser.answer("iss"), issuer) << more;
  }
  for (const char* more : {"&state=2", "&st%61te=2"}) {
    browser.get(query + more);
    EXPECT_EQ(browser.answer("error"), "invalid_request") << more;
    EXPECT_EQ(browser.answer("state"), "") << "it is not known which one is meant";
  }
  const std::string_view end = "&x=1&x=1";
  browser.get(format_form(with(parameters, "state", std::string(1025, 's'))).append(end));
  EXPECT_EQ(browser.answer("error") + browser.answer("state"), "invalid_request");
  for (const char* more : {"&client_id=wic", "&%63lient_id=wic", "&redirect_uri", "&redirect%5Furi=%ff"}) {
    EXPECT_EQ(browser.get(query + more + std::string{end}).status, 400u) << more;
    EXPECT_EQ(browser.location(), "") << more;
  }
}

TEST_F(Authorization, DoesNotDoWithoutPkce) {
  const auto wrong = [&](std::string_view name, std::string_view value) {
    return error_of(with(parameters, name, value));
  };
  EXPECT_EQ(wrong("code_challenge", ""), "invalid_request");
  EXPECT_EQ(wrong("code_challenge_method", ""), "invalid_request") << "which would mean plain";
  EXPECT_EQ(wrong("code_challenge_method", "plain"), "invalid_request");
  EXPECT_EQ(wrong("code_challenge_method", "s256"), "invalid_request");
  EXPECT_EQ(wrong("code_challenge", verifier.substr(1)), "invalid_request");
  EXPECT_EQ(wrong("code_challenge", std::string(42, '!') + "A"), "invalid_request");
}

TEST_F(Authorization, IsSilentOnRequest) {
  EXPECT_EQ(error_of(with(parameters, "prompt", "none")), "login_required");
  browser.get(parameters);
  browser.log_in("alice");
  EXPECT_NE((browser.get(with(parameters, "prompt", "none")), browser.answer("code")), "");
  EXPECT_EQ(error_of(with(authorization_parameters("other"), "prompt", "none")), "consent_required");
}

TEST_F(Authorization, AsksForALoginOnRequestAndOnlyOnce) {
  browser.get(parameters);
  browser.log_in("alice");
  browser.get(with(parameters, "prompt", "login"));
  EXPECT_TRUE(browser.shows("Log in"));
  browser.log_in("alice");
  EXPECT_NE(browser.answer("code"), "");
}

TEST_F(Authorization, AsksForALoginOnlyOnceHoweverThatIsSpelled) {
  const std::string query = format_form(parameters);
  for (const char* spelling : {"&prompt=%6cogin", "&%70rompt=login", "&prompt=l%6Fgin"}) {
    browser.get(query + spelling);
    EXPECT_TRUE(browser.shows("Log in")) << spelling;
    browser.log_in("alice");
    EXPECT_NE(browser.answer("code"), "") << spelling;
  }
  browser.get(query + "&identity%5fprovider=&%70rompt=consent");
  EXPECT_TRUE(browser.shows("Allow access?"));
  EXPECT_TRUE(browser.shows("&amp;prompt=login\">Log in as somebody else"));
  EXPECT_FALSE(browser.shows("%70rompt=consent&amp;prompt=login")) << "in that link";
  EXPECT_FALSE(browser.shows("identity%5fprovider=&amp;prompt=login"));
}

TEST_F(Authorization, StillAsksForConsentAfterTheLogin) {
  browser.get(with(parameters, "prompt", "consent"));
  browser.log_in("alice");
  EXPECT_TRUE(browser.shows("Allow access?"));
  EXPECT_TRUE(browser.shows("&amp;prompt=login\">Log in as somebody else"));
  EXPECT_FALSE(browser.shows("prompt=consent&amp;prompt=login"));
}

TEST_F(Authorization, AsksTheUserWhatTheClientMayDo) {
  const Parameters asked = with(authorization_parameters("other"), "scope", "ims");
  browser.get(asked);
  browser.log_in("alice");
  EXPECT_TRUE(browser.shows("Allow access?"));
  EXPECT_TRUE(browser.shows("register your phone number"));
  EXPECT_FALSE(browser.shows("relays"));
  browser.decide("allow");
  EXPECT_NE(browser.answer("code"), "");

  browser.get(asked);
  EXPECT_NE(browser.answer("code"), "") << "it is remembered";
  browser.get(with(asked, "scope", "ims turn"));
  EXPECT_TRUE(browser.shows("relays")) << "more than that is asked for";
  browser.decide("deny");
  EXPECT_EQ(browser.answer("error"), "access_denied");
  browser.get(with(asked, "prompt", "consent"));
  EXPECT_TRUE(browser.shows("Allow access?"));
}

TEST_F(Authorization, TakesFormsOfItsOwnPagesAlone) {
  browser.get(parameters);
  Browser other{world};
  other.get(parameters);
  Parameters filled = browser.form();
  filled.emplace_back("name", "alice");
  filled.emplace_back("password", "wonderland");
  EXPECT_EQ(other.post("/login", filled).status, 403u) << "of another browser";
  EXPECT_EQ(world.post("/login", filled).status, 403u) << "without a cookie";
  EXPECT_EQ(browser.post("/login", with(filled, "mark", "")).status, 403u);
  EXPECT_EQ(
      browser.post("/login", with(filled, "request", format_form(with(parameters, "state", "x")))).status,
      403u);
  EXPECT_EQ(browser.post("/login", filled, {{"Origin", "https://evil.example"}}).status, 403u);
  EXPECT_EQ(browser.post("/login", filled, {{"Origin", "null"}}).status, 403u);
  world.now += 30min;
  EXPECT_EQ(browser.post("/login", filled).status, 403u) << "too old";
  EXPECT_EQ(world.password_checks, 0);
  world.now -= 1s;
  EXPECT_EQ(browser.post("/login", filled, {{"Origin", std::string{issuer}}}).status, 303u);
}

TEST_F(Authorization, TakesAConsentOfTheUserWhoWasAskedAlone) {
  const Parameters asked = authorization_parameters("other");
  browser.get(asked);
  browser.log_in("alice");
  const Parameters shown_to_alice = with(browser.form(), "decision", "allow");
  browser.get(with(asked, "prompt", "login"));
  browser.log_in("bob");
  EXPECT_EQ(browser.post("/consent", shown_to_alice).status, 403u);
  EXPECT_EQ(world.post("/consent", shown_to_alice).status, 403u);
  EXPECT_FALSE(world.ledger.find_consent("u-bob", "other"));
  browser.get(asked);
  EXPECT_EQ(browser.decide("allow", {{"Origin", "https://evil.example"}}).status, 403u);
  EXPECT_FALSE(world.ledger.find_consent("u-bob", "other"));
}

TEST_F(Authorization, SaysTheSameOfAWrongNameAndAWrongPassword) {
  const auto answer_to = [&](std::string_view name, std::string_view password) {
    browser.get(parameters);
    browser.log_in(name, password);
    std::string body = browser.page.body;
    for (const std::string& part : {std::string{name}, browser.hidden("mark")})
      if (const auto at = body.find(part); at != std::string::npos) body.erase(at, part.size());
    return std::to_string(browser.page.status) + body.substr(body.find("<main>"), 200);
  };
  User disabled = *world.ledger.find_user("u-bob");
  disabled.is_enabled = false;
  world.ledger.put_user(disabled);
  const std::string wrong = answer_to("alice", "builder");
  EXPECT_TRUE(wrong.contains("role=\"alert\""));
  EXPECT_EQ(answer_to("nobody", "builder"), wrong);
  EXPECT_EQ(answer_to("bob", "wonderland"), wrong) << "disabled";
  EXPECT_EQ(world.password_checks, 3) << "and takes the same time";
  EXPECT_FALSE(browser.cookies.contains("__Host-waf_session"));
  EXPECT_TRUE(world.has_audited("login_failed"));
}

TEST_F(Authorization, LocksOutWhoGuesses) {
  for (const char* name : {"alice", "nobody"}) {
    for (int i = 0; i < 5; ++i) {
      browser.get(parameters);
      EXPECT_EQ(browser.log_in(name, "guess").status, 403u);
    }
    browser.get(parameters);
    EXPECT_EQ(browser.log_in(name).status, 429u) << "now not with the right one either";
    EXPECT_EQ(browser.page.find("retry-after"), "30");
  }
  EXPECT_EQ(world.password_checks, 10);

  Browser home{world};
  world.remote = IpAddress::v4({198, 51, 100, 7});
  home.get(parameters);
  EXPECT_EQ(home.log_in("alice").status, 303u) << "the user himself is not locked out elsewhere";
  world.remote = IpAddress::v4({192, 0, 2, 1});
  world.now += 30s;
  browser.get(parameters);
  EXPECT_EQ(browser.log_in("alice").status, 303u);
}

TEST_F(Authorization, LocksASourceThatTriesManyNames) {
  for (int i = 0; i < 30; ++i) {
    browser.get(parameters);
    browser.log_in("user" + std::to_string(i), "guess");
  }
  browser.get(parameters);
  EXPECT_EQ(browser.log_in("alice").status, 429u);
}

TEST_F(Authorization, LocksANameThatManySourcesTryButNotInItsOwnBrowser) {
  Browser home{world};
  home.get(parameters);
  home.log_in("alice");
  for (std::uint8_t i = 0; i < 50; ++i) {
    world.remote = IpAddress::v4({198, 51, 100, i});
    Browser bot{world};
    bot.get(parameters);
    bot.log_in("alice", "guess");
  }
  world.remote = IpAddress::v4({192, 0, 2, 1});
  Browser stranger{world};
  stranger.get(parameters);
  EXPECT_EQ(stranger.log_in("alice").status, 429u);
  EXPECT_EQ(stranger.page.find("retry-after"), "60");
  stranger.cookies["__Host-waf_known"] = "x." + std::string(22, 'A');
  stranger.get(parameters);
  EXPECT_EQ(stranger.log_in("alice").status, 429u);
  EXPECT_TRUE(home.cookies.contains("__Host-waf_known"));
  home.get(with(parameters, "prompt", "login"));
  EXPECT_EQ(home.log_in("alice").status, 303u);
}

TEST_F(Authorization, GivesTheSessionANewNameAtEachLogin) {
  browser.cookies["__Host-waf_session"] = std::string(43, 'A');
  browser.get(parameters);
  browser.log_in("alice");
  const std::string first = browser.cookies.at("__Host-waf_session");
  EXPECT_NE(first, std::string(43, 'A'));
  browser.get(with(parameters, "prompt", "login"));
  browser.log_in("alice");
  EXPECT_NE(browser.cookies.at("__Host-waf_session"), first);
  browser.cookies["__Host-waf_session"] = first;
  browser.get(parameters);
  EXPECT_TRUE(browser.shows("Log in")) << "the old name is good for nothing";
}

TEST_F(Authorization, ForgetsASessionThatHasEndedOrWhoseUserIsDisabled) {
  browser.get(parameters);
  browser.log_in("alice");
  User alice = *world.ledger.find_user("u-alice");
  alice.is_enabled = false;
  world.ledger.put_user(alice);
  EXPECT_EQ(browser.get(parameters).status, 200u);
  alice.is_enabled = true;
  world.ledger.put_user(alice);
  EXPECT_EQ(browser.get(parameters).status, 303u);
  world.now += 8h;
  EXPECT_EQ(browser.get(parameters).status, 200u);
}

TEST_F(Authorization, ShowsPagesThatNobodyCanInjectInto) {
  const std::string attack = "\"><script>alert('1')</script>&";
  browser.get(with(parameters, "state", attack));
  browser.log_in(attack, "guess");
  EXPECT_TRUE(browser.shows("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"));
  EXPECT_FALSE(browser.shows("<script"));
  EXPECT_TRUE(browser.shows("Web &lt;phone&gt;"));
  const std::string policy{browser.page.find("content-security-policy").value_or("")};
  EXPECT_TRUE(policy.starts_with("default-src 'none'; style-src 'sha256-"));
  EXPECT_TRUE(
      policy.contains("form-action 'self' https://wic.example; frame-ancestors 'none'; base-uri 'none'"));
  EXPECT_EQ(browser.page.find("x-frame-options"), "DENY");
  EXPECT_EQ(browser.page.find("referrer-policy"), "same-origin") << "with none, forms say \"Origin: null\"";
  EXPECT_EQ(browser.page.find("cache-control"), "no-store");
}

TEST_F(Authorization, SetsCookiesThatScriptsAndOtherHostsCannotTouch) {
  const Response page = world.send({.path = "/authorize", .query = format_form(parameters)});
  const std::string cookie{page.find("set-cookie").value_or("")};
  EXPECT_TRUE(cookie.starts_with("__Host-waf_browser="));
  EXPECT_TRUE(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"));
}

TEST(RedirectUri, IsRegisteredWhereItCanBeTrusted) {
  for (const char* good : {"https://a.example/", "https://a.example:8443/done?x=1", "http://127.0.0.1/done",
                           "http://[::1]:80", "com.example.app:/done"})
    EXPECT_FALSE(find_redirect_uri_problem(good)) << good;
  for (const char* bad :
       {"", "https://", "https://a.example/#x", "https://*.example/", "https://u@a.example/",
        "http://a.example/", "http://localhost/", "app:/done", "javascript:alert(1)", "/done",
        "https://a.example/ x", "https://a.example/\r\nX: y"})
    EXPECT_TRUE(find_redirect_uri_problem(bad)) << bad;
}

}  // namespace
}  // namespace turnpike::waf
