#include "service/waf_node.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <mutex>

#include "jose/token.hpp"
#include "service/stun_keys.hpp"
#include "service/test_certificates.hpp"
#include "service/test_notebook.hpp"
#include "waf/test_world.hpp"

namespace turnpike::service {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

// Written down on the node's thread, read on the test's.
class Notes final : public WafObserver, public TestNotebook {
 public:
  void on_answer(const WafExchange& exchange, Now /*now*/) override {
    note([&] {
      answers_.push_back(std::string{exchange.endpoint} + ' ' + std::to_string(exchange.status) + ' ' +
                         std::string{exchange.error});
    });
  }
  void on_revoked(bool is_done, Now /*now*/) override {
    note([&] { ++(is_done ? confirmed_ : unconfirmed_); });
  }
  void on_keys_changed(Now /*now*/) override {
    note([&] { ++key_changes_; });
  }
  void on_turn_keys(const std::vector<std::string>& unfetched, bool have_changed, Now /*now*/) override {
    note([&] {
      unfetched_ = unfetched;
      turn_key_changes_ += have_changed ? 1 : 0;
    });
  }
  void on_turn_keys_fetched(std::string_view server_name, const IpAddress& /*remote*/, Now /*now*/) override {
    note([&] { fetched_.emplace_back(server_name); });
  }
  void on_ledger_failed(std::string_view what, Now /*now*/) override {
    note([&] { failures_.emplace_back(what); });
  }
  void on_issuer(const IssuerNews& news, Now /*now*/) override {
    note([&] {
      issuers_.push_back(std::string{news.issuer} + ' ' + std::to_string(news.keys) + ' ' +
                         std::string{news.failure});
    });
  }
  std::vector<std::string> issuers() { return copy(issuers_); }
  std::vector<std::string> failures() { return copy(failures_); }
  std::vector<std::string> answers() { return copy(answers_); }
  std::vector<std::string> fetched() { return copy(fetched_); }
  std::vector<std::string> unfetched() { return copy(unfetched_); }
  int turn_key_changes() { return copy(turn_key_changes_); }
  int confirmed() { return copy(confirmed_); }
  int unconfirmed() { return copy(unconfirmed_); }
  int key_changes() { return copy(key_changes_); }

 private:
  std::vector<std::string> answers_{}, failures_{}, fetched_{}, unfetched_{}, issuers_{};
  int turn_key_changes_ = 0;
  int confirmed_ = 0, unconfirmed_ = 0, key_changes_ = 0;
};

class Relays final : public RelayPort, public TestNotebook {
 public:
  void put(const credentials::PushedCredential& /*credential*/, Completion on_done) override {
    on_done(false);
  }
  void revoke(const credentials::Revocation& revocation, Completion on_done) override {
    note([&] { revoked_.push_back(revocation.value); });
    on_done(true);
  }
  std::vector<std::string> revoked() { return copy(revoked_); }

 private:
  std::vector<std::string> revoked_{};
};

class Registrations final : public RegistrationPort, public TestNotebook {
 public:
  void revoke(epcscf::RevokedToken token) override {
    note([&] { revoked_.push_back(std::move(token)); });
  }
  std::vector<epcscf::RevokedToken> revoked() { return copy(revoked_); }

 private:
  std::vector<epcscf::RevokedToken> revoked_{};
};

// Another process writes to it: done() is what that process sees.
class SharedLedger final : public waf::MemoryLedger {
 public:
  bool has_changed_elsewhere() override {
    const std::lock_guard lock{mutex_};
    for (const auto& change : changes_) change(*this);
    return !std::exchange(changes_, {}).empty();
  }
  void note_told(std::int64_t position) override {
    MemoryLedger::note_told(position);
    told_to_ = position;
  }
  void change(std::function<void(waf::MemoryLedger&)> action) {
    const std::lock_guard lock{mutex_};
    changes_.push_back(std::move(action));
  }
  [[nodiscard]] std::int64_t told_to() const { return told_to_; }

 private:
  std::mutex mutex_{};
  std::vector<std::function<void(waf::MemoryLedger&)>> changes_{};
  std::atomic<std::int64_t> told_to_ = 0;
};

// The node over https, with the accounts of waf::World, and clients of its own.
struct Site {
  using Change = std::function<void(WafNodeSettings&, waf::World&)>;

  explicit Site(const Change& change = {}, RelayPort* relays = nullptr,
                std::unique_ptr<waf::MemoryLedger> ledger = std::make_unique<waf::MemoryLedger>())
      : world({}, std::move(ledger)) {
    certificates.issue("waf", "DNS:localhost,IP:127.0.0.1");
    WafNodeSettings settings{.listeners = {{.listen = *SocketAddress::parse("127.0.0.1:0"),
                                            .certificate_file = certificates.certificate("waf"),
                                            .key_file = certificates.key("waf")}},
                             .waf = waf::make_settings(),
                             .requests_per_second_per_source = 10'000};
    settings.waf.issuer = "https://localhost/waf";
    for (const waf::StoredKey& key : world.ledger.signing_keys()) world.ledger.remove_signing_key(key.kid);
    if (change) change(settings, world);
    auto opened = WafNode::open(std::move(settings), world.ledger, notes);
    check(opened.has_value(), "the WAF opens");
    node = std::move(*opened);
    node->start({.relays = relays, .registrations = &registrations});
    client = *HttpClient::make(loop, {.ca_file = certificates.authority(), .connections_max = 16});
  }

  [[nodiscard]] HttpRequest make(const waf::Request& request) const {
    const std::string port = std::to_string(node->listeners().front().port);
    return {.method = request.method,
            .url = "https://127.0.0.1:" + port + request.path +
                   (request.query.empty() ? "" : "?" + request.query),
            .fields = request.fields,
            .body = request.body};
  }
  // All of them at once, each on a connection of its own.
  std::vector<waf::Response> send_all(const std::vector<waf::Request>& requests) {
    std::vector<waf::Response> responses(requests.size());
    std::size_t waits_for = requests.size();
    for (std::size_t at = 0; at < requests.size(); ++at)
      client->send(make(requests[at]), [&, at](HttpAnswer answer) {
        EXPECT_TRUE(answer) << answer.error();
        if (answer) responses[at] = {answer->status, answer->fields, answer->body};
        --waits_for;
      });
    while (waits_for > 0) loop.run_one();
    return responses;
  }
  waf::Response send(const waf::Request& request) { return send_all({request}).front(); }
  static waf::Request post(std::string_view path, const waf::Parameters& parameters,
                           waf::Fields fields = {}) {
    fields.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    return {.method = "POST",
            .path = "/waf" + std::string{path},
            .fields = std::move(fields),
            .body = waf::format_form(parameters)};
  }

  // A browser at the login page.
  waf::Browser open_login() {
    waf::Browser browser{world};
    browser.take(
        send({.path = "/waf/authorize", .query = waf::format_form(waf::authorization_parameters())}));
    return browser;
  }
  static waf::Request make_login(const waf::Browser& browser, std::string_view password,
                                 const waf::Fields& more = {}) {
    waf::Parameters form = browser.form();
    form.emplace_back("name", "alice");
    form.emplace_back("password", password);
    waf::Fields fields = browser.fields();
    fields.insert(fields.end(), more.begin(), more.end());
    return post("/login", form, fields);
  }
  json log_in() {
    waf::Browser browser = open_login();
    browser.take(send(make_login(browser, "wonderland")));
    const std::string location = browser.location();
    browser.take(send({.path = "/waf/authorize",
                       .query = location.substr(location.find('?') + 1),
                       .fields = browser.fields()}));
    return json::parse(send(post("/token", world.code_request(browser.answer("code")))).body);
  }

  TestCertificates certificates{};
  waf::World world;
  Notes notes{};
  Registrations registrations{};
  std::unique_ptr<WafNode> node{};
  boost::asio::io_context loop{};
  std::unique_ptr<HttpClient> client{};
};

std::vector<unsigned> statuses(const std::vector<waf::Response>& responses) {
  std::vector<unsigned> all;
  all.reserve(responses.size());
  for (const waf::Response& response : responses) all.push_back(response.status);
  std::ranges::sort(all);
  return all;
}

TEST(WafNode, LogsAUserInOverHttps) {
  Site site;
  const json tokens = site.log_in();
  EXPECT_EQ(tokens.value("token_type", ""), "Bearer");
  EXPECT_EQ(tokens.at("turn").value("server_name", ""), waf::turn_name);
  const std::vector<std::string> expected{"/authorize 200 ", "/login 303 ", "/authorize 303 ", "/token 200 "};
  EXPECT_EQ(site.notes.answers(), expected);
}

TEST(WafNode, HandsOnEveryFieldOfARequestAndOfAnAnswer) {
  Site site;
  const waf::Response page = site.open_login().page;
  EXPECT_EQ(page.find("cache-control"), "no-store");
  ASSERT_TRUE(page.find("set-cookie"));
  EXPECT_TRUE(page.find("set-cookie")->starts_with("__Host-"));
  const waf::Request request =
      Site::post("/token", site.world.code_request("c"), {{"DPoP", "a"}, {"DPoP", "a"}});
  EXPECT_TRUE(site.send(request).body.contains("invalid_dpop_proof"));
  EXPECT_EQ(site.notes.answers().back(), "/token 400 invalid_dpop_proof");
  EXPECT_EQ(site.send({.path = "/elsewhere"}).status, 404U);
  EXPECT_EQ(site.notes.answers().back(), "other 404 ");
}

TEST(WafNode, LocksOutGuessesThatAreSentAtTheSameTime) {
  Site site;
  const waf::Browser browser = site.open_login();
  const auto responses =
      site.send_all(std::vector<waf::Request>(8, Site::make_login(browser, "not wonderland")));
  EXPECT_EQ(statuses(responses), (std::vector<unsigned>{403, 403, 403, 403, 403, 429, 429, 429}));
}

TEST(WafNode, LetsOnlySoManyLoginsWait) {
  Site site{[](WafNodeSettings& settings, waf::World& world) {
    settings.passwords_waiting_max = 0;
    waf::User alice = *world.ledger.find_user("u-alice");
    alice.password =
        hash_password(Secret::from_text("wonderland"), {.log2_n = 14, .r = 8, .p = 1}, world.random);
    world.ledger.put_user(alice);
  }};
  const waf::Browser browser = site.open_login();
  const auto responses = site.send_all(std::vector<waf::Request>(8, Site::make_login(browser, "wonderland")));
  EXPECT_EQ(std::ranges::count(responses, 303U, &waf::Response::status) +
                std::ranges::count(responses, 503U, &waf::Response::status),
            8);
  EXPECT_GE(std::ranges::count(responses, 303U, &waf::Response::status), 1);
  EXPECT_GE(std::ranges::count(responses, 503U, &waf::Response::status), 1);
}

TEST(WafNode, TellsTheRelaysWhatWasRevoked) {
  Relays relays;
  Site site{{}, &relays};
  const json tokens = site.log_in();
  const waf::Request revocation =
      Site::post("/revoke", {{"token", tokens.at("access_token")}, {"client_id", "wic"}});
  EXPECT_EQ(site.send(revocation).status, 200U);
  EXPECT_TRUE(site.notes.wait([&] { return site.notes.confirmed() > 0; }));
  EXPECT_FALSE(relays.revoked().empty());
  EXPECT_EQ(site.notes.unconfirmed(), 0);
}

TEST(WafNode, TellsTheEpcscfWhichRegistrationTokensWereRevoked) {
  Relays relays;
  Site site{{}, &relays};
  const json tokens = site.log_in();
  EXPECT_EQ(
      site.send(Site::post("/revoke", {{"token", tokens.at("refresh_token")}, {"client_id", "wic"}})).status,
      200U);
  EXPECT_TRUE(site.registrations.wait([&] { return site.registrations.revoked().size() == 1; }));
  const epcscf::RevokedToken revoked = site.registrations.revoked().front();
  const auto parsed = jose::read_token(tokens.at("access_token").get<std::string>(), {});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(revoked.token_id, parsed->payload.at("jti").get<std::string>());
  EXPECT_EQ(revoked.issuer, parsed->payload.at("iss").get<std::string>());
  EXPECT_GT(revoked.until, read_clocks().wall);
}

TEST(WafNode, CountsWhatNoRelayWasToldOf) {
  Site site;
  const json tokens = site.log_in();
  EXPECT_EQ(
      site.send(Site::post("/revoke", {{"token", tokens.at("access_token")}, {"client_id", "wic"}})).status,
      200U);
  EXPECT_TRUE(site.notes.wait([&] { return site.notes.unconfirmed() > 0; }));
}

TEST(WafNode, TellsTheRelaysWhatAnotherProcessHasRevoked) {
  auto shared = std::make_unique<SharedLedger>();
  SharedLedger& ledger = *shared;
  Relays relays;
  Site site{{}, &relays, std::move(shared)};
  const json tokens = site.log_in();
  const auto began = std::chrono::steady_clock::now();
  ledger.change([](waf::MemoryLedger& it) { it.revoke_user("u-alice", read_clocks().wall); });
  EXPECT_TRUE(site.notes.wait([&] { return site.notes.confirmed() > 0; }));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{1});
  EXPECT_EQ(relays.revoked().size(), 1U) << "by its subject";
  EXPECT_EQ(json::parse(site.send(Site::post("/token", site.world.refresh_request(tokens))).body).at("error"),
            "invalid_grant");
  EXPECT_EQ(ledger.told_to(), 1) << "which a command waits for";
  ledger.change([](waf::MemoryLedger& it) { it.put_client({.id = "new"}); });
  ledger.change([](waf::MemoryLedger& it) { it.revoke_user("u-bob", read_clocks().wall); });
  EXPECT_EQ(site.send({.path = "/waf/jwks"}).status, 200U);
  EXPECT_EQ(relays.revoked().size(), 1U) << "once";
}

TEST(WafNode, TellsTheRelaysAtItsStartWhatWasRevokedBefore) {
  auto shared = std::make_unique<SharedLedger>();
  SharedLedger& ledger = *shared;
  Relays relays;
  const WallTime now = read_clocks().wall;
  const waf::Issued token{.id = std::string(64, 'a'),
                          .kind = waf::IssuedKind::turn,
                          .client = "wic",
                          .subject = "u-alice",
                          .audience = std::string{waf::turn_name},
                          .turn_subject = "s1",
                          .issued_at = now,
                          .ends_at = now + std::chrono::hours{1}};
  ledger.change([](waf::MemoryLedger&) {});
  Site site{[&](WafNodeSettings&, waf::World& world) {
              EXPECT_TRUE(world.ledger.note_issued(std::array{token}, now));
              world.ledger.revoke_issued(token.id, now);
            },
            &relays, std::move(shared)};
  EXPECT_TRUE(site.notes.wait([&] { return site.notes.confirmed() > 0; }));
  EXPECT_EQ(relays.revoked(), std::vector{token.id});
}

TEST(WafNode, TakesKeysThatWereReplacedElsewhere) {
  auto shared = std::make_unique<SharedLedger>();
  SharedLedger& ledger = *shared;
  Site site{{}, nullptr, std::move(shared)};
  const json tokens = site.log_in();
  const auto published = [&] {
    return json::parse(site.send({.path = "/waf/jwks"}).body).at("keys").at(0).value("kid", "");
  };
  const std::string leaked = published();
  const int changes = site.notes.key_changes();
  ledger.change([&](waf::MemoryLedger& it) {
    auto ring = *waf::KeyRing::open(it);
    EXPECT_TRUE(ring.replace(it, {}, std::chrono::seconds{3600}, leaked, read_clocks().wall));
  });
  EXPECT_TRUE(site.notes.wait([&] { return site.notes.key_changes() > changes; }));
  EXPECT_NE(published(), leaked);
  EXPECT_EQ(
      json::parse(site.send(Site::post("/token", site.world.exchange_request(tokens))).body).at("error"),
      "invalid_request")
      << "what the leaked key has signed is no token any more";
}

TEST(WafNode, DoesNotSignWithAKeyThatCouldNotBeKept) {
  struct FullLedger final : waf::MemoryLedger {
    void put_signing_key(const waf::StoredKey& key) override {
      if (is_full)
        failure = "waf.db: database or disk is full";
      else
        MemoryLedger::put_signing_key(key);
    }
    std::optional<std::string> take_failure() override { return std::exchange(failure, std::nullopt); }
    bool is_full = false;
    std::optional<std::string> failure{};
  };
  auto full = std::make_unique<FullLedger>();
  FullLedger& ledger = *full;
  Site site{[&](WafNodeSettings&, waf::World&) { ledger.is_full = true; }, nullptr, std::move(full)};
  EXPECT_EQ(site.notes.failures(), Strings{"waf.db: database or disk is full"});
  EXPECT_EQ(site.send({.path = "/waf/jwks"}).body, R"({"keys":[]})");
}

TEST(WafNode, CountsClientsBehindAProxyByTheirOwnAddresses) {
  Site site{[](WafNodeSettings& settings, waf::World& /*world*/) {
    settings.waf.trusted_proxies = {*IpPrefix::parse("127.0.0.0/8")};
  }};
  const waf::Browser browser = site.open_login();
  const auto from = [](std::string_view address) {
    return waf::Fields{{"X-Forwarded-For", std::string{address}}};
  };
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(site.send(Site::make_login(browser, "wrong", from("198.51.100.7"))).status, 403U);
  EXPECT_EQ(site.send(Site::make_login(browser, "wonderland", from("198.51.100.7"))).status, 429U);
  EXPECT_EQ(site.send(Site::make_login(browser, "wonderland", from("203.0.113.9, 198.51.100.7"))).status,
            429U)
      << "what is written in front changes nothing";
  EXPECT_EQ(site.send(Site::make_login(browser, "wonderland", from("198.51.100.8"))).status, 303U);
}

TEST(WafNode, TakesNobodysWordForAnAddressUnlessItIsTold) {
  Site site;
  const waf::Browser browser = site.open_login();
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(site.send(Site::make_login(browser, "wrong",
                                         {{"X-Forwarded-For", "198.51.100." + std::to_string(i)}}))
                  .status,
              403U);
  EXPECT_EQ(site.send(Site::make_login(browser, "wonderland", {{"X-Forwarded-For", "198.51.100.99"}})).status,
            429U);
}

TEST(WafNode, TellsOfALedgerThatFails) {
  struct BrokenLedger final : waf::MemoryLedger {
    std::optional<std::string> take_failure() override {
      return is_broken ? std::optional<std::string>{"waf.db: disk I/O error"} : std::nullopt;
    }
    std::atomic<bool> is_broken = false;
  };
  auto ledger = std::make_unique<BrokenLedger>();
  BrokenLedger& broken = *ledger;
  Site site{{}, nullptr, std::move(ledger)};
  broken.is_broken = true;
  EXPECT_EQ(site.send(Site::post("/token", site.world.code_request("c"))).status, 503U);
  EXPECT_TRUE(site.notes.wait([&] { return !site.notes.failures().empty(); }));
  EXPECT_EQ(site.notes.failures().front(), "waf.db: disk I/O error");
}

TEST(WafNode, AnswersOneSourceOnlySoOften) {
  Site site{
      [](WafNodeSettings& settings, waf::World& /*world*/) { settings.requests_per_second_per_source = 1; }};
  const auto responses = site.send_all(std::vector<waf::Request>(8, waf::Request{.path = "/waf/jwks"}));
  const auto refused = std::ranges::find(responses, 429U, &waf::Response::status);
  ASSERT_NE(refused, responses.end());
  EXPECT_EQ(refused->find("retry-after"), "1");
}

// A script of an allowed origin can read why it has to wait, and a person sees a page.
TEST(WafNode, RefusesByItselfInTheFormOfTheEndpoint) {
  Site site{
      [](WafNodeSettings& settings, waf::World& /*world*/) { settings.requests_per_second_per_source = 1; }};
  const auto refused = [&](const waf::Request& request) {
    const auto responses = site.send_all(std::vector<waf::Request>(8, request));
    const auto found = std::ranges::find(responses, 429U, &waf::Response::status);
    return found == responses.end() ? waf::Response{} : *found;
  };
  const waf::Response token =
      refused(Site::post("/token", site.world.code_request("c"), {{"Origin", "https://wic.example"}}));
  EXPECT_EQ(json::parse(token.body).value("error", ""), "temporarily_unavailable");
  EXPECT_EQ(token.find("retry-after"), "1");
  EXPECT_EQ(token.find("cache-control"), "no-store");
  EXPECT_EQ(token.find("access-control-allow-origin"), "https://wic.example");
  const waf::Response page = refused({.path = "/waf/authorize"});
  EXPECT_TRUE(page.find("content-type")->starts_with("text/html"));
  EXPECT_EQ(page.find("retry-after"), "1");
}

TEST(WafNode, SaysWhatIsTooLargeAsItSaysOtherErrors) {
  Site site;
  waf::Request request = Site::post("/token", {}, {{"Origin", "https://wic.example"}});
  request.body = std::string(std::size_t{65} * 1024, 'x');
  const waf::Response response = site.send(request);
  EXPECT_EQ(response.status, 413U);
  EXPECT_EQ(json::parse(response.body).value("error", ""), "invalid_request");
  EXPECT_EQ(response.find("cache-control"), "no-store");
  EXPECT_EQ(response.find("access-control-allow-origin"), "https://wic.example");
  EXPECT_TRUE(site.send({.path = "/waf/authorize", .body = request.body})
                  .find("content-type")
                  ->starts_with("text/html"));
}

TEST(WafNode, SignsWithAKeyThatItPublishes) {
  Site site;
  EXPECT_EQ(site.notes.key_changes(), 1);
  const json keys = json::parse(site.send({.path = "/waf/jwks"}).body);
  EXPECT_FALSE(keys.at("keys").empty());
}

// Two TURN servers with certificates of an authority, and a relay's client for each.
struct RelayCertificates {
  TestCertificates relays{};
};
struct KeySite : RelayCertificates, Site {
  KeySite() : Site([this](WafNodeSettings& settings, waf::World&) { add_keys(settings); }) {}

  void add_keys(WafNodeSettings& settings) {
    for (const char* name : {"turn1.ims.example", "turn2.ims.example"}) {
      relays.issue(name, (std::string{"DNS:"} + name).c_str());
      settings.waf.turn.push_back(
          {.token = {.server_name = name}, .fetches_keys = true, .certificate_names = {name}});
    }
    settings.waf.turn.erase(settings.waf.turn.begin(), settings.waf.turn.begin() + 2);
    settings.waf.turn_keys.kid_prefix = "w1-";
    settings.key_listener = settings.listeners.front();
    settings.key_listener->client_ca_file = relays.authority();
  }
  HttpAnswer fetch(const std::string& name, const std::string& certificate, const TestCertificates& by) {
    HttpClientSettings settings{.ca_file = certificates.authority()};
    if (!certificate.empty()) {
      settings.certificate_file = by.certificate(certificate);
      settings.key_file = by.key(certificate);
    }
    const auto asking = *HttpClient::make(loop, settings);
    std::optional<HttpAnswer> got;
    asking->send({.url = "https://127.0.0.1:" + std::to_string(node->key_listener()->port) +
                         "/.well-known/stun-key?service=stun&name=" + name},
                 [&](HttpAnswer answer) { got = std::move(answer); });
    while (!got) loop.run_one();
    return *got;
  }
};

TEST(WafNode, HandsEachTurnServerItsKeyOverMutualTls) {
  KeySite site;
  EXPECT_TRUE(site.notes.wait([&] { return site.notes.unfetched().size() == 2; }));
  const HttpAnswer answer = site.fetch("turn1.ims.example", "turn1.ims.example", site.relays);
  ASSERT_TRUE(answer) << answer.error();
  ASSERT_EQ(answer->status, 200U);
  const auto keys = parse_stun_keys(answer->body, {.kid_prefix = "w1-"});
  ASSERT_TRUE(keys) << keys.error();
  ASSERT_EQ(keys->keys.size(), 1u);
  EXPECT_EQ(keys->refresh_after, std::chrono::seconds{300});
  EXPECT_TRUE(parse_http_date(*answer->find("date")));
  EXPECT_EQ(site.notes.fetched(), std::vector<std::string>{"turn1.ims.example"});
  for (const waf::StoredTurnKey& key : site.world.ledger.turn_keys()) {
    EXPECT_EQ(key.fetched_at != WallTime{}, key.server_name == "turn1.ims.example") << key.server_name;
  }

  // What a client is given opens with it.
  const json turn = site.log_in().at("turn");
  EXPECT_TRUE(turn.at("kid").get<std::string>().starts_with(keys->keys.front().kid + '.')) << turn;
  const Secret opener = credentials::derive_token_key(keys->keys.front().key, keys->keys.front().algorithm,
                                                      "turn1.ims.example", turn.at("kid").get<std::string>());
  EXPECT_TRUE(credentials::decode_token(*from_base64(turn.at("access_token").get<std::string>()),
                                        {.key = opener.reveal(), .server_name = "turn1.ims.example"}));
}

TEST(WafNode, HandsKeysToNobodyElse) {
  KeySite site;
  const HttpAnswer other = site.fetch("turn1.ims.example", "turn2.ims.example", site.relays);
  ASSERT_TRUE(other) << other.error();
  EXPECT_EQ(other->status, 403U);
  EXPECT_FALSE(site.fetch("turn1.ims.example", "", site.relays)) << "without a certificate nobody is heard";
  TestCertificates strangers;
  strangers.issue("turn1.ims.example", "DNS:turn1.ims.example");
  EXPECT_FALSE(site.fetch("turn1.ims.example", "turn1.ims.example", strangers)) << "of another authority";
  EXPECT_TRUE(site.notes.fetched().empty());
  for (const waf::StoredTurnKey& key : site.world.ledger.turn_keys()) EXPECT_EQ(key.fetched_at, WallTime{});
  EXPECT_EQ(site.send({.path = "/.well-known/stun-key", .query = "name=turn1.ims.example"}).status, 404U)
      << "not where browsers are";
}

TEST(WafNode, ServesNothingElseWhereKeysAre) {
  KeySite site;
  const HttpClientSettings settings{.ca_file = site.certificates.authority(),
                                    .certificate_file = site.relays.certificate("turn1.ims.example"),
                                    .key_file = site.relays.key("turn1.ims.example")};
  const auto asking = *HttpClient::make(site.loop, settings);
  std::optional<HttpAnswer> got;
  asking->send({.url = "https://127.0.0.1:" + std::to_string(site.node->key_listener()->port) + "/waf/jwks"},
               [&](HttpAnswer answer) { got = std::move(answer); });
  while (!got) site.loop.run_one();
  EXPECT_EQ((*got)->status, 404U);
}

TEST(WafNode, GoesByWhatACommandHasChangedAboutKeys) {
  KeySite site;
  const std::string leaked = site.world.ledger.turn_keys().front().kid;
  const std::string server = site.world.ledger.turn_keys().front().server_name;
  site.world.ledger.withdraw_turn_key(leaked);  // the node's thread has nothing to do meanwhile
  site.node->take_turn_keys();
  EXPECT_TRUE(site.notes.wait([&] { return site.notes.turn_key_changes() == 2; }));
  const auto keys = parse_stun_keys(site.fetch(server, server, site.relays)->body, {.kid_prefix = "w1-"});
  ASSERT_TRUE(keys) << keys.error();
  EXPECT_EQ(keys->withdrawn, std::vector<std::string>{leaked});
  EXPECT_NE(keys->keys.front().kid, leaked);
}

TEST(WafNode, DecidesByItsNewSettings) {
  Site site;
  waf::Settings settings = waf::make_settings();
  settings.issuer = "https://localhost";
  ASSERT_TRUE(site.node->reconfigure(std::move(settings), {}));
  EXPECT_EQ(site.send({.path = "/waf/jwks"}).status, 404U);
  EXPECT_EQ(site.send({.path = "/jwks"}).status, 200U);
}

TEST(WafNode, RefusesPlainHttpBeyondLoopback) {
  waf::MemoryLedger ledger;
  Notes notes;
  const auto node = WafNode::open(
      {.listeners = {{.listen = *SocketAddress::parse("192.0.2.1:80")}}, .waf = waf::make_settings()}, ledger,
      notes);
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error(), "the WAF: 192.0.2.1:80: http is for loopback alone, give a certificate");
}

}  // namespace
}  // namespace turnpike::service
