// Logins at other identity providers: OpenID Connect Core section 3.1, RFC 9207, and what goes wrong there.
#include "jose/token.hpp"
#include "waf/account_rules.hpp"
#include "waf/test_provider.hpp"

namespace turnpike::waf {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view not_confirmed = "has not confirmed who you are";

struct Federation : testing::Test {
  Federation() : Federation([](Settings& /*settings*/) {}) {}
  explicit Federation(const std::function<void(Settings&)>& change)
      : world([&](Settings& settings) {
          settings.providers = {make_provider()};
          change(settings);
        }) {}

  // A login whose ID token is changed somehow: true where it was refused, and nobody was logged in.
  bool refuses(const std::function<void(TestProvider&)>& change) {
    provider.more = provider.header = json::object();
    provider.dropped.clear();
    provider.raw_token.clear();
    Browser fresh{world};
    fresh.get(with(authorization_parameters(), "identity_provider", "corp"));
    const Parameters answer = provider.answer(fresh);
    change(provider);
    provider.come_back(fresh, answer);
    return fresh.page.status == 502 && fresh.shows(not_confirmed) &&
           !fresh.cookies.contains("__Host-waf_session");
  }

  World world;
  TestProvider provider{world, world.server->settings().providers.front()};
  Browser browser{world};
};

// Where nobody has a password.
struct SingleProvider : Federation {
  SingleProvider() : Federation([](Settings& settings) { settings.offers_passwords = false; }) {}
};

TEST_F(Federation, LogsAUserInAndGivesTheClientACode) {
  provider.log_in(browser);
  ASSERT_NE(browser.answer("code"), "") << browser.page.body;
  EXPECT_TRUE(browser.location().starts_with("https://wic.example/done?"));
  EXPECT_EQ(browser.answer("iss"), issuer);
  const json tokens = world.token(world.code_request(browser.answer("code")));
  const json said = world.introspect(tokens.at("access_token"));
  EXPECT_EQ(said.at("impi"), "guest-alice@ims.example");
  EXPECT_EQ(said.at("impus"), json({"sip:guest-alice@ims.example"})) << "there is no phone number";
  EXPECT_EQ(said.at("sub"), provider.find_user()->id);
  EXPECT_EQ(provider.find_user()->name, "corp:a-1");
  EXPECT_TRUE(world.has_audited("federated_user_added"));
  EXPECT_TRUE(world.has_audited("federated_login"));
}

TEST_F(Federation, AsksTheProviderAsItHasToBe) {
  browser.get(
      with(with(authorization_parameters(), "identity_provider", "corp"), "login_hint", "alice@corp"));
  const std::string location = browser.location();
  EXPECT_TRUE(location.starts_with("https://idp.example/realm/auth?tenant=1&response_type=code&"))
      << location;
  EXPECT_EQ(browser.answer("client_id"), "waf at:corp");
  EXPECT_EQ(browser.answer("redirect_uri"), std::string{issuer} + "/federation/corp");
  EXPECT_EQ(browser.answer("scope"), "openid profile email");
  EXPECT_EQ(browser.answer("code_challenge_method"), "S256");
  EXPECT_EQ(browser.answer("login_hint"), "alice@corp");
  EXPECT_EQ(browser.answer("prompt"), "");
  provider.come_back(browser, provider.answer(browser));
  ASSERT_EQ(provider.calls.size(), 1u);
  const ProviderCall& call = provider.calls.front();
  EXPECT_EQ(call.url, "https://idp.example/realm/token");
  const auto form = Form::parse(call.body, {});
  ASSERT_TRUE(form);
  EXPECT_EQ(form->find("grant_type"), "authorization_code");
  EXPECT_EQ(form->find("code"), "c 1");
  EXPECT_EQ(form->find("redirect_uri"), std::string{issuer} + "/federation/corp");
  EXPECT_EQ(to_base64url(digest_of(form->find("code_verifier"))), find_parameter(location, "code_challenge"));
  EXPECT_EQ(form->find("client_secret"), "");
  // RFC 6749 section 2.3.1: both halves are encoded.
  const std::pair<std::string, std::string> basic{
      "Authorization",
      "Basic " + to_base64(as_bytes(encode_percent("waf at:corp") + ':' + encode_percent("s&cret")))};
  EXPECT_TRUE(std::ranges::find(call.fields, basic) != call.fields.end());
}

TEST_F(Federation, AuthenticatesAsTheProviderKnowsUs) {
  for (const ClientMethod method :
       {ClientMethod::client_secret_post, ClientMethod::private_key_jwt, ClientMethod::none}) {
    World other{[&](Settings& settings) {
      settings.providers = {make_provider()};
      settings.providers.front().method = method;
    }};
    TestProvider corp_provider{other, other.server->settings().providers.front()};
    Browser fresh{other};
    corp_provider.log_in(fresh);
    EXPECT_NE(fresh.answer("code"), "");
    const auto form = Form::parse(corp_provider.calls.front().body, {});
    ASSERT_TRUE(form);
    EXPECT_EQ(form->find("client_id"), "waf at:corp");
    EXPECT_EQ(form->find("client_secret"), method == ClientMethod::client_secret_post ? "s&cret" : "");
    EXPECT_EQ(form->has("client_assertion"), method == ClientMethod::private_key_jwt);
    EXPECT_EQ(corp_provider.calls.front().fields.size(), 2u) << "no Authorization";
    if (method != ClientMethod::private_key_jwt) continue;
    const auto read = jose::read_token(form->find("client_assertion"), {});
    ASSERT_TRUE(read);
    const auto verified = jose::verify(*read, other.ring.verifiers(), jose::public_key_algorithms);
    ASSERT_TRUE(verified) << "by a key of our JWKS";
    EXPECT_EQ(verified->payload.at("aud"), corp) << "of no use to anybody else";
    EXPECT_EQ(verified->payload.at("iss"), "waf at:corp");
    EXPECT_EQ(verified->payload.at("sub"), "waf at:corp");
    EXPECT_EQ(
        verified->payload.at("exp").get<std::int64_t>() - verified->payload.at("iat").get<std::int64_t>(),
        60);
    EXPECT_FALSE(other.is_active(std::string{form->find("client_assertion")})) << "it is no access token";
  }
}

TEST_F(Federation, TellsAPersonOnAPageThatItHasNoKeyToSignWith) {
  World other{[&](Settings& settings) {
    settings.providers = {make_provider()};
    settings.providers.front().method = ClientMethod::private_key_jwt;
  }};
  other.now += 365 * 24h;
  TestProvider corp_provider{other, other.server->settings().providers.front()};
  Browser fresh{other};
  corp_provider.log_in(fresh);
  EXPECT_EQ(fresh.page.status, 503u);
  EXPECT_TRUE(fresh.shows("Corp &lt;1&gt; cannot be reached at the moment."));
  EXPECT_TRUE(fresh.shows("name=\"password\""));
}

TEST_F(Federation, OffersEachProviderBesideThePassword) {
  browser.get(authorization_parameters());
  EXPECT_TRUE(browser.shows("name=\"password\""));
  EXPECT_TRUE(browser.shows("Log in with Corp &lt;1&gt;</a>"));
  EXPECT_TRUE(browser.shows("&amp;identity_provider=corp\""));
  browser.get(format_form(authorization_parameters()) + "&identity%5Fprovider=");
  EXPECT_TRUE(browser.shows("&amp;identity_provider=corp\""));
  EXPECT_FALSE(browser.shows("identity%5Fprovider=&amp;identity_provider=corp")) << "which would be twice";
  browser.get(with(authorization_parameters(), "identity_provider", "nobody"));
  EXPECT_EQ(browser.answer("error"), "invalid_request");
  browser.get(authorization_parameters());
  browser.log_in("alice");
  EXPECT_NE(browser.answer("code"), "") << "passwords do as before";
}

TEST_F(SingleProvider, IsGoneToWithoutAPage) {
  browser.get(authorization_parameters());
  EXPECT_TRUE(browser.location().starts_with(corp));
  provider.come_back(browser, provider.answer(browser));
  EXPECT_NE(browser.answer("code"), "");
  // Nobody guesses passwords of users who had one once.
  Browser other{world};
  other.get(authorization_parameters());
  const std::string query = format_form(authorization_parameters());
  other.post("/login", {{"request", query}, {"mark", "x"}, {"name", "alice"}, {"password", "wonderland"}});
  EXPECT_EQ(other.page.status, 403u);
  EXPECT_EQ(world.password_checks, 0);
}

TEST_F(SingleProvider, TellsTheClientWhatTheUserHasRefused) {
  browser.get(authorization_parameters());
  provider.come_back(browser,
                     provider.answer(browser, {{"error", "access_denied"}, {"error_description", "<b>"}}));
  EXPECT_EQ(browser.answer("error"), "access_denied");
  EXPECT_TRUE(browser.location().starts_with("https://wic.example/done?"));
  browser.get(authorization_parameters());
  provider.come_back(browser,
                     provider.answer(browser, {{"error", "<script>"}, {"error_description", "<b>"}}));
  EXPECT_EQ(browser.page.status, 502u);
  EXPECT_FALSE(browser.shows("<script")) << "what a stranger says is shown to nobody";
  EXPECT_FALSE(browser.shows("<b>"));
  EXPECT_TRUE(browser.shows("Try again</a>"));
}

TEST_F(SingleProvider, IsAskedForAnotherLoginWhereTheClientWantsOne) {
  browser.get(with(authorization_parameters(), "prompt", "login"));
  EXPECT_EQ(browser.answer("prompt"), "login");
  provider.come_back(browser, provider.answer(browser));
  EXPECT_NE(browser.answer("code"), "") << "and not again after it";
  browser.get(with(authorization_parameters(), "prompt", "none"));
  EXPECT_NE(browser.answer("code"), "");
  Browser stranger{world};
  stranger.get(with(authorization_parameters(), "prompt", "none"));
  EXPECT_EQ(stranger.answer("error"), "login_required");
}

TEST_F(Federation, GoesBackToTheChoiceWhereTheUserDoesNotLogInThere) {
  browser.get(with(authorization_parameters(), "identity_provider", "corp"));
  provider.come_back(browser, provider.answer(browser, {{"error", "access_denied"}}));
  EXPECT_EQ(browser.page.status, 403u);
  EXPECT_TRUE(browser.shows("You have not logged in at Corp &lt;1&gt;."));
  browser.log_in("alice");
  EXPECT_NE(browser.answer("code"), "");
}

TEST_F(Federation, SaysWhereAProviderCannotBeReached) {
  provider.is_up = false;
  browser.get(with(authorization_parameters(), "identity_provider", "corp"));
  EXPECT_EQ(browser.page.status, 503u);
  EXPECT_TRUE(browser.shows("Corp &lt;1&gt; cannot be reached at the moment."));
  ASSERT_EQ(provider.needs.size(), 1u);
  EXPECT_EQ(provider.needs.front().issuer, corp);
  provider.is_up = true;
  browser.get(with(authorization_parameters(), "identity_provider", "corp"));
  const Parameters answer = provider.answer(browser);
  provider.is_up = false;
  provider.come_back(browser, answer);
  EXPECT_EQ(browser.page.status, 503u);
  provider.is_up = true;
  provider.come_back(browser, answer);
  EXPECT_NE(browser.answer("code"), "") << "the code was not used up";
}

// --- attacks on the way -----------------------------------------------------------------------------------

TEST_F(Federation, TakesAnAnswerInTheBrowserThatAskedAlone) {
  browser.get(with(authorization_parameters(), "identity_provider", "corp"));
  const Parameters answer = provider.answer(browser);
  Browser victim{world};
  provider.come_back(victim, answer);
  EXPECT_EQ(victim.page.status, 403u) << "without a cookie";
  victim.get(authorization_parameters());
  provider.come_back(victim, answer);
  EXPECT_EQ(victim.page.status, 403u) << "with one of its own: a login that was forced on it";
  for (const char* state : {"", "x", "AAAA"}) {
    provider.come_back(browser, with(answer, "state", state));
    EXPECT_EQ(browser.page.status, 403u) << state;
  }
  std::string changed = find_parameter('?' + format_form(answer), "state");
  changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
  provider.come_back(browser, with(answer, "state", changed));
  EXPECT_EQ(browser.page.status, 403u);
  EXPECT_TRUE(provider.calls.empty()) << "nothing was asked for any of them";
  provider.come_back(browser, answer);
  EXPECT_NE(browser.answer("code"), "");
}

TEST_F(Federation, TakesNoAnswerThatIsTooOld) {
  browser.get(with(authorization_parameters(), "identity_provider", "corp"));
  const Parameters answer = provider.answer(browser);
  world.now += 1800s;
  provider.come_back(browser, answer);
  EXPECT_EQ(browser.page.status, 403u);
  world.now -= 1801s;
  provider.come_back(browser, answer);
  EXPECT_EQ(browser.page.status, 403u) << "from the future";
}

TEST_F(Federation, TakesAnAnswerOnce) {
  browser.get(with(authorization_parameters(), "identity_provider", "corp"));
  const Parameters answer = provider.answer(browser);
  provider.come_back(browser, answer);
  ASSERT_NE(browser.answer("code"), "");
  provider.come_back(browser, answer);
  EXPECT_EQ(browser.page.status, 502u) << "also of a provider that redeems a code twice";
  EXPECT_TRUE(browser.shows(not_confirmed));
}

// RFC 9207 section 2.4, RFC 9700 section 4.4.
TEST_F(Federation, SeesAnAnswerOfAnotherIssuer) {
  browser.get(with(authorization_parameters(), "identity_provider", "corp"));
  const Parameters answer = provider.answer(browser);
  for (const char* iss : {"https://evil.example", "https://idp.example/realm/", ""}) {
    provider.come_back(browser, with(answer, "iss", iss));
    EXPECT_EQ(browser.page.status, 502u) << iss << ": it announces that it says its issuer";
  }
  EXPECT_TRUE(provider.calls.empty()) << "the code went to nobody";
  provider.names_issuer = false;
  provider.publish();
  provider.come_back(browser, with(answer, "iss", "https://evil.example"));
  EXPECT_EQ(browser.page.status, 502u);
  provider.come_back(browser, with(answer, "iss", ""));
  EXPECT_NE(browser.answer("code"), "") << "Google says none";
}

TEST_F(Federation, SendsTheCodeOfOneProviderToNoOther) {
  World two{[](Settings& settings) {
    settings.providers = {make_provider(), make_provider("evil", "https://evil.example")};
  }};
  TestProvider honest{two, two.server->settings().providers.front()};
  honest.publish();
  two.issuers["https://evil.example"] = two.issuers.at(std::string{corp});
  Browser victim{two};
  victim.get(with(authorization_parameters(), "identity_provider", "corp"));
  const Parameters answer = honest.answer(victim);
  victim.take(
      two.send({.path = "/federation/evil", .query = format_form(answer), .fields = victim.fields()}));
  EXPECT_EQ(victim.page.status, 403u) << "the state is of one provider";
  EXPECT_TRUE(honest.calls.empty());
}

// --- ID tokens --------------------------------------------------------------------------------------------

TEST_F(Federation, TakesIdTokensOfThisLoginAlone) {
  const auto say = [](const char* name, const json& value) {
    return [=](TestProvider& it) { it.more = {{name, value}}; };
  };
  const auto drop = [](const char* name) { return [=](TestProvider& it) { it.dropped = {name}; }; };
  EXPECT_TRUE(refuses(say("iss", "https://evil.example")));
  EXPECT_TRUE(refuses(say("aud", "another client")));
  EXPECT_TRUE(refuses(say("aud", json({"waf at:corp", "another client"})))) << "who could show it, too";
  EXPECT_TRUE(refuses(say("azp", "another client")));
  EXPECT_TRUE(refuses(say("nonce", "of another login"))) << "a token that was injected";
  for (const char* name : {"iss", "aud", "exp", "iat", "nonce"}) EXPECT_TRUE(refuses(drop(name))) << name;
  EXPECT_TRUE(refuses([](TestProvider& it) { it.raw_token = "no token"; }));
  EXPECT_TRUE(refuses([](TestProvider& it) { it.token_status = 400; }));
  provider.token_status = 200;
  EXPECT_FALSE(
      refuses([](TestProvider& it) { it.more = {{"aud", {"waf at:corp"}}, {"azp", "waf at:corp"}}; }));
}

TEST_F(Federation, TakesSignaturesOfTheProviderAlone) {
  const auto with_header = [](const json& header) { return [=](TestProvider& it) { it.header = header; }; };
  EXPECT_TRUE(refuses(with_header({{"typ", "at+jwt"}}))) << "an access token";
  EXPECT_TRUE(refuses(with_header({{"alg", "none"}})));
  EXPECT_TRUE(refuses(with_header({{"kid", "unknown"}})));
  EXPECT_TRUE(refuses(with_header({{"crit", {"exp"}}})));
  EXPECT_TRUE(refuses([&](TestProvider& it) {
    it.raw_token = jose::TestKey::ec().sign({{"alg", "ES256"}, {"kid", "p1"}}, it.claims().dump());
  }));
  // The public key as a secret (RFC 8725 section 2.1).
  EXPECT_TRUE(refuses([&](TestProvider& it) {
    const std::string secret = jose::key_set_of({it.key.jwk("p1")});
    it.raw_token =
        jose::sign_with_secret({{"alg", "HS256"}, {"kid", "p1"}}, it.claims().dump(), as_bytes(secret));
  }));
  EXPECT_FALSE(refuses(with_header({{"typ", "JWT"}})));
}

TEST_F(Federation, TakesOnlyTheAlgorithmsThatAreConfigured) {
  World strict{[](Settings& settings) {
    settings.providers = {make_provider()};
    settings.providers.front().algorithms = {jose::Algorithm::rs256};
  }};
  TestProvider es256{strict, strict.server->settings().providers.front()};
  Browser fresh{strict};
  es256.log_in(fresh);
  EXPECT_EQ(fresh.page.status, 502u);
}

TEST_F(Federation, BearsWithAClockThatIsALittleOff) {
  const auto shifted = [&](std::chrono::seconds by) {
    return refuses([&](TestProvider& it) {
      const auto now = unix_seconds(world.now + by);
      it.more = {{"iat", now}, {"exp", now + 60}};
    });
  };
  EXPECT_FALSE(shifted(29s));
  EXPECT_FALSE(shifted(-30s));
  EXPECT_TRUE(shifted(31s)) << "made in the future";
  EXPECT_TRUE(shifted(-31s)) << "made before the login began";
  EXPECT_TRUE(refuses([&](TestProvider& it) { it.more = {{"exp", unix_seconds(world.now) - 30}}; }));
  EXPECT_FALSE(refuses([&](TestProvider& it) { it.more = {{"exp", unix_seconds(world.now) - 29}}; }));
}

TEST_F(Federation, FetchesTheKeysAgainOnceWhereOneIsNew) {
  provider.log_in(browser);
  const std::size_t before = provider.needs.size();
  provider.kid = "p2";
  provider.key = jose::TestKey::ec();
  Browser next{world};
  provider.log_in(next);
  EXPECT_NE(next.answer("code"), "");
  ASSERT_EQ(provider.needs.size(), before + 1);
  EXPECT_TRUE(provider.needs.back().keys);
  // The same name for another key.
  provider.key = jose::TestKey::ec();
  Browser same{world};
  provider.log_in(same);
  EXPECT_NE(same.answer("code"), "");
  EXPECT_EQ(provider.needs.size(), before + 2);
  world.on_fetch = [&](const FetchNeeded& needed) { provider.needs.push_back(needed); };
  provider.kid = "p3";
  Browser forged{world};
  provider.log_in(forged);
  EXPECT_EQ(forged.page.status, 502u);
  EXPECT_EQ(provider.needs.size(), before + 3) << "and not for ever";
}

TEST_F(Federation, AsksForUserinfoWhereItIsToldTo) {
  World asking{[](Settings& settings) {
    settings.providers = {make_provider()};
    settings.providers.front().asks_userinfo = true;
  }};
  TestProvider corp_provider{asking, asking.server->settings().providers.front()};
  corp_provider.dropped = {"preferred_username"};
  corp_provider.userinfo = {{"sub", "a-1"}, {"preferred_username", "ann"}, {"email_verified", false}};
  Browser fresh{asking};
  corp_provider.log_in(fresh);
  EXPECT_NE(fresh.answer("code"), "") << "what the ID token says is signed, and wins";
  EXPECT_EQ(corp_provider.find_user()->identity.impi, "guest-ann@ims.example");
  ASSERT_EQ(corp_provider.calls.size(), 2u);
  EXPECT_EQ(corp_provider.calls.back().url, "https://idp.example/realm/me");
  const std::pair<std::string, std::string> bearer{"Authorization", "Bearer at"};
  EXPECT_TRUE(std::ranges::find(corp_provider.calls.back().fields, bearer) !=
              corp_provider.calls.back().fields.end());
  for (const json& told : {json{{"sub", "b-2"}, {"preferred_username", "bob"}},
                           json{{"preferred_username", "bob"}}, json("x")}) {
    corp_provider.userinfo = told;
    Browser other{asking};
    corp_provider.log_in(other);
    EXPECT_EQ(other.page.status, 502u) << told;
  }
}

// --- who the user is --------------------------------------------------------------------------------------

TEST_F(Federation, LetsNobodyInWithoutARule) {
  provider.more = {{"email_verified", false}};
  provider.log_in(browser);
  EXPECT_EQ(browser.page.status, 403u);
  EXPECT_TRUE(
      browser.shows("You are logged in at Corp &lt;1&gt;. Your account there may not use this service."));
  EXPECT_TRUE(browser.shows("prompt=login")) << "to log in as somebody else";
  EXPECT_EQ(provider.find_user(), nullptr);
  EXPECT_TRUE(world.has_audited("federation_refused"));
}

TEST_F(Federation, TakesBackWhatWasGivenWhenNoRuleMatchesAnyMore) {
  provider.log_in(browser);
  const json tokens = world.token(world.code_request(browser.answer("code")));
  provider.more = {{"email_verified", false}};
  Browser again{world};
  provider.log_in(again);
  EXPECT_FALSE(world.revocations.empty());
  EXPECT_FALSE(world.is_active(tokens.at("access_token")));
  EXPECT_EQ(world.error(world.refresh_request(tokens)), "invalid_grant");
}

TEST_F(Federation, GivesNobodysIdentityAway) {
  const User alice = *world.ledger.find_user("u-alice");
  const auto is_refused = [&](const Provider& changed, const json& more) {
    World other{[&](Settings& settings) { settings.providers = {changed}; }};
    TestProvider corp_provider{other, changed};
    corp_provider.more = more;
    Browser fresh{other};
    corp_provider.log_in(fresh);
    EXPECT_EQ(*other.ledger.find_user("u-alice"), alice);
    EXPECT_EQ(corp_provider.find_user(), nullptr);
    return fresh.page.status == 403 && fresh.shows("somebody who has another login here");
  };
  Provider taking = make_provider();
  taking.rules.front().impi = "{preferred_username}@ims.example";
  taking.rules.front().impus = {"sip:{preferred_username}@ims.example"};
  EXPECT_TRUE(is_refused(taking, json::object())) << "of a local user";
  EXPECT_TRUE(is_refused(taking, {{"preferred_username", "ALICE"}}));
  taking = make_provider();
  EXPECT_TRUE(is_refused(taking, {{"phone_number", "+15550100"}})) << "a public one is enough";
}

TEST_F(Federation, GivesAnIdentityToTheFirstWhoHasIt) {
  provider.log_in(browser);
  provider.more = {{"sub", "b-2"}};
  Browser second{world};
  provider.log_in(second);
  EXPECT_EQ(second.page.status, 403u) << "who took the name of another user there";
  EXPECT_EQ(provider.find_user("b-2"), nullptr);
  provider.more = json::object();
  Browser first{world};
  provider.log_in(first);
  EXPECT_NE(first.answer("code"), "");
}

TEST_F(Federation, FollowsAUserWhoseIdentityHasChanged) {
  provider.log_in(browser);
  const json tokens = world.token(world.code_request(browser.answer("code")));
  provider.more = {{"preferred_username", "ann"}};
  Browser later{world};
  provider.log_in(later);
  EXPECT_NE(later.answer("code"), "");
  EXPECT_EQ(provider.find_user()->identity.impi, "guest-ann@ims.example");
  EXPECT_FALSE(world.is_active(tokens.at("access_token"))) << "it names the earlier one";
  provider.more = {{"sub", "b-2"}};
  Browser second{world};
  provider.log_in(second);
  EXPECT_NE(second.answer("code"), "") << "the earlier name is free again";
}

TEST_F(Federation, KeepsOutWhoIsDisabled) {
  provider.log_in(browser);
  User user = *provider.find_user();
  user.is_enabled = false;
  world.ledger.put_user(user);
  Browser again{world};
  provider.log_in(again);
  EXPECT_EQ(again.page.status, 403u);
  EXPECT_TRUE(again.shows("You may not log in here."));
  EXPECT_FALSE(provider.find_user()->is_enabled) << "a login does not enable";
  browser.get(authorization_parameters());
  EXPECT_TRUE(browser.shows("name=\"password\"")) << "the session has ended, too";
}

TEST_F(Federation, LogsOnlySoManyUsersIn) {
  World small{[](Settings& settings) {
    settings.providers = {make_provider()};
    settings.limits.users_max = 4;
  }};
  TestProvider corp_provider{small, small.server->settings().providers.front()};
  Browser first{small};
  corp_provider.log_in(first);
  EXPECT_NE(first.answer("code"), "");
  corp_provider.more = {{"sub", "b-2"}, {"preferred_username", "bob"}};
  Browser second{small};
  corp_provider.log_in(second);
  EXPECT_EQ(second.page.status, 403u);
  EXPECT_TRUE(second.shows("no room"));
}

TEST_F(Federation, NeedsAUsableSubject) {
  for (const json& subject :
       {json(""), json(7), json("a\nb"), json(std::string(256, 'a')), json("\xc3\xa4")}) {
    provider.more = {{"sub", subject}};
    Browser fresh{world};
    provider.log_in(fresh);
    EXPECT_EQ(fresh.page.status, 403u) << subject;
  }
  provider.more = {{"sub", std::string(255, 'a')}};
  Browser fresh{world};
  provider.log_in(fresh);
  EXPECT_NE(fresh.answer("code"), "");
  EXPECT_LE(provider.find_user(std::string(255, 'a'))->name.size(), 255u);
}

// What strangers can make fail does not push the rest out of the audit trail.
TEST_F(Federation, WritesFailuresDownAsThoseOfStrangers) {
  browser.get(with(authorization_parameters(), "identity_provider", "corp"));
  provider.come_back(browser, provider.answer(browser, {{"error", "server_error"}}));
  const AuditEntry last = world.ledger.last_audit_entries(1).front();
  EXPECT_EQ(last.event, "federation_failed");
  EXPECT_EQ(last.detail, "corp: it answered with an error");
  EXPECT_TRUE(last.is_by_stranger);

  // Also those of users of the provider who are none here: nobody has let them in.
  provider.more = {{"email_verified", false}};
  provider.log_in(browser);
  const AuditEntry refused = world.ledger.last_audit_entries(1).front();
  EXPECT_EQ(refused.event, "federation_refused");
  EXPECT_EQ(refused.detail, "corp: no rule matches");
  EXPECT_TRUE(refused.is_by_stranger);
}

TEST_F(Federation, CarriesNoRequestThatIsTooLong) {
  browser.get(
      with(with(authorization_parameters(), "identity_provider", "corp"), "x", std::string(2048, 'x')));
  EXPECT_EQ(browser.answer("error"), "invalid_request");
}

TEST_F(Federation, HasNothingElseBelowItsPath) {
  for (const char* path : {"/federation/", "/federation/nobody", "/federation/corp/x", "/federation"})
    EXPECT_EQ(world.send({.path = path}).status, 404u) << path;
  EXPECT_EQ(world.send({.method = "POST", .path = "/federation/corp"}).status, 405u);
}

// --- metadata and settings --------------------------------------------------------------------------------

TEST(ProviderMetadata, AreOfTheIssuerToTheLetter) {
  World world;
  TestProvider provider{world};
  const auto outcome = [&](const json& document) {
    const auto read = read_provider_metadata(document.dump(), corp, {});
    return read ? "taken" : read.error();
  };
  const json good = provider.metadata();
  EXPECT_EQ(outcome(good), "taken");
  const auto changed = [&](const char* name, const json& value) {
    json document = good;
    document[name] = value;
    return outcome(document);
  };
  EXPECT_EQ(changed("issuer", "https://idp.example/realm/"), "the metadata are of another issuer");
  for (const char* name : {"authorization_endpoint", "token_endpoint", "jwks_uri"})
    for (const json& uri : {json("http://idp.example/x"), json("javascript:alert(1)"), json(nullptr),
                            json("http://127.0.0.1.evil.example/"), json("http://127.0.0.1:8080/x"),
                            json("https://a@evil.example/"), json("https://x/ y")})
      EXPECT_EQ(changed(name, uri), "the metadata have no " + std::string{name} + " with https") << uri;
  EXPECT_EQ(outcome(json::array()), "the metadata are no JSON object");
  EXPECT_FALSE(read_provider_metadata(R"({"issuer":"a","issuer":"https://idp.example/realm"})", corp, {}));
}

TEST(ProviderSettings, SayWhatIsWrong) {
  const auto problems = [](const std::function<void(Settings&)>& change) {
    Settings settings = make_settings();
    settings.providers = {make_provider()};
    change(settings);
    const auto found = find_problems(settings);
    return found.empty() ? "" : found.front();
  };
  const auto of_first = [&](const std::function<void(Provider&)>& change) {
    return problems([&](Settings& settings) { change(settings.providers.front()); });
  };
  EXPECT_EQ(problems([](Settings&) {}), "");
  EXPECT_EQ(of_first([](Provider& it) { it.name = "Corp/"; }),
            "the provider Corp/: its name has 1 to 32 of a-z, 0-9 and -");
  EXPECT_EQ(of_first([](Provider& it) { it.issuer = "http://idp.example"; }),
            "the provider corp: its issuer is an https URL, or http to loopback");
  EXPECT_EQ(of_first([](Provider& it) { it.client_secret = {}; }),
            "the provider corp: the method client_secret_basic needs a client_secret");
  EXPECT_EQ(of_first([](Provider& it) { it.method = ClientMethod::none; }),
            "the provider corp: the method none has no client_secret");
  EXPECT_EQ(of_first([](Provider& it) { it.scope = "profile"; }), "the provider corp: its scope has openid");
  EXPECT_EQ(of_first([](Provider& it) { it.rules.clear(); }),
            "the provider corp: without a rule nobody may log in");
  EXPECT_EQ(of_first([](Provider& it) { it.rules.front().impi = "{a"; }),
            "the provider corp: the impi of a rule has claims in braces, such as {preferred_username}");
  EXPECT_EQ(of_first([](Provider& it) { it.rules.front().impi = "{email}"; }),
            "the provider corp: the impi of a rule has no @ of its own: impis has to say which ones the "
            "provider may name");
  EXPECT_EQ(of_first([](Provider& it) {
              it.rules.front().impi = "{email}";
              it.impis = {"*@ims.example"};
            }),
            "");
  EXPECT_EQ(problems([](Settings& settings) { settings.providers.push_back(make_provider()); }),
            "the provider corp: the name occurs twice");
  EXPECT_EQ(problems([](Settings& settings) { settings.providers.push_back(make_provider("b")); }),
            "the provider b: the issuer occurs twice");
  EXPECT_EQ(
      problems([](Settings& settings) { settings.assertion_issuers = {{.issuer = std::string{corp}}}; }),
      "the issuer https://idp.example/realm occurs twice");
  EXPECT_EQ(problems([](Settings& settings) {
              settings.providers.clear();
              settings.offers_passwords = false;
            }),
            "without passwords and providers nobody can log in");
}

}  // namespace
}  // namespace turnpike::waf
