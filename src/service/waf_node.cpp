#include "service/waf_node.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <utility>

#include "base/password.hpp"
#include "base/random.hpp"
#include "base/source_limiter.hpp"
#include "service/alarm.hpp"
#include "waf/endpoints.hpp"
#include "waf/federated_user.hpp"
#include "waf/forwarded.hpp"
#include "waf/server.hpp"
#include "waf/stun_key.hpp"
#include "waf/turn_key_ring.hpp"
#include "waf/visit.hpp"

namespace turnpike::service {
namespace {

constexpr std::chrono::seconds retry_after{5};
constexpr std::chrono::seconds registration_tolerance{300};  // the most that an eP-CSCF allows its clock

waf::Request to_request(ServedRequest served, const std::vector<IpPrefix>& trusted_proxies) {
  const IpAddress remote = waf::find_client_address(served.fields, served.peer.remote.ip, trusted_proxies);
  const auto question = served.target.find('?');
  return {.method = std::move(served.method),
          .path = served.target.substr(0, question),
          .query = question == std::string::npos ? std::string{} : served.target.substr(question + 1),
          .fields = std::move(served.fields),
          .body = std::move(served.body),
          .remote = remote,
          .certificate_names = std::move(served.peer.names)};
}

waf::Response refuse_for_now(unsigned status, std::string_view text) {
  return waf::answer_plain(status, text, {{"Retry-After", "1"}});
}

std::string_view explain(unsigned status) {
  if (status == 413) return "the body is larger than is allowed";
  return status == 431 ? "the fields are larger than is allowed" : "it is no request that can be read";
}

// Paths are a stranger's: what is counted by has few values.
std::string_view find_endpoint(std::string_view issuer, std::string_view path) {
  using namespace waf::endpoint;
  static constexpr std::array all{authorization, login, consent,        token,          introspection,
                                  revocation,    jwks,  oauth_metadata, openid_metadata};
  if (path == stun_key) return stun_key;  // at the root, whatever the issuer
  const std::string base{path_of(issuer)};
  if (path.starts_with(base + std::string{federation})) return "/federation";
  const auto found = std::ranges::find_if(all, [&](std::string_view endpoint) {
    return path == base + std::string{endpoint} || path == std::string{endpoint} + base;
  });
  return found == all.end() ? "other" : *found;
}

// As waf::answer() begins the body of a refusal.
std::string_view find_error(const waf::Response& response) {
  constexpr std::string_view beginning = R"({"error":")";
  const std::string_view body = response.body;
  if (response.status < 400 || !body.starts_with(beginning)) return "";
  return body.substr(beginning.size(), body.find('"', beginning.size()) - beginning.size());
}

}  // namespace

class WafNode::Impl {
 public:
  Impl(WafNodeSettings settings, waf::Ledger& ledger, waf::KeyRing keys, waf::TurnKeyRing turn_keys,
       WafObserver& observer)
      : settings_(std::move(settings)),
        ledger_(ledger),
        observer_(observer),
        keys_(std::move(keys)),
        turn_keys_(std::move(turn_keys)),
        limiter_(settings_.requests_per_second_per_source, random_.next_u64()),
        upkeep_(loop_, [this] { keep_up(); }),
        look_(loop_, [this] { look_elsewhere(); }) {}
  ~Impl() {
    stop();
    for (const auto& book : books_) book->close();
  }

  std::expected<void, std::string> open_books() {
    auto book = make_book(settings_.issuers);
    if (!book) return std::unexpected("the WAF: " + book.error());
    books_.push_back(std::move(*book));
    return {};
  }

  std::expected<void, std::string> listen() {
    for (const HttpServerSettings& listener : settings_.listeners) {
      auto http = HttpServer::start(
          loop_.context(), listener,
          [this](ServedRequest request, HttpServer::Respond respond) {
            answer({to_request(std::move(request), settings_.waf.trusted_proxies), std::move(respond)});
          },
          [this](ServedRequest head, unsigned status) { return refuse_unread(std::move(head), status); });
      if (!http) return std::unexpected("the WAF: " + http.error());
      http_.push_back(std::move(*http));
    }
    if (!settings_.key_listener) return {};
    auto http = HttpServer::start(
        loop_.context(), *settings_.key_listener, [this](ServedRequest request, HttpServer::Respond respond) {
          answer_turn_server({to_request(std::move(request), {}), std::move(respond)});
        });
    if (!http) return std::unexpected("the WAF's keys for TURN servers: " + http.error());
    key_http_ = std::move(*http);
    return {};
  }
  void start(const WafPorts& ports) {
    ports_ = ports;
    make_server(read_clocks());
    keep_up();
    books_.back()->warm_up();
    look_elsewhere();
    worker_.start("waf-passwords");
    loop_.start("waf");
  }
  void stop() {
    worker_.stop();
    loop_.stop();
  }

  void keep_up() {
    const Now now = read_clocks();
    ledger_.forget_ended(now.wall);
    const waf::Lifetimes& lifetimes = settings_.waf.lifetimes;
    ledger_.begin();
    const bool has_changed =
        keys_.rotate(ledger_, settings_.waf.keys, lifetimes.access_token + lifetimes.clock_skew, now.wall);
    ledger_.commit();
    std::chrono::seconds next = settings_.upkeep_every;
    if (const auto failure = ledger_.take_failure()) {
      observer_.on_ledger_failed(*failure, now);
      // A key that is not kept must not sign: nothing could verify that after a restart.
      if (has_changed) read_keys(now);
      next = std::min(next, retry_after);
    } else if (has_changed) {
      observer_.on_keys_changed(now);
    }
    keep_turn_keys(now);
    upkeep_.set(now.mono + next, now.mono);
  }

  // What commands have done beside this process, or another process on the same ledger.
  void look_elsewhere() {
    const Now now = read_clocks();
    if (ledger_.has_changed_elsewhere()) {
      read_keys(now);
      tell_revoked(now);
      keep_turn_keys(now);
    }
    tell_failure(now);
    look_.set(now.mono + settings_.look_every, now.mono);
  }
  void read_keys(Now now) {
    auto keys = waf::KeyRing::open(ledger_);
    if (!keys) return observer_.on_ledger_failed(keys.error(), now);
    if (keys->has_same_keys(keys_)) return;
    keys_ = *std::move(keys);
    observer_.on_keys_changed(now);
  }
  void keep_turn_keys(Now now) {
    const auto has_changed = turn_keys_.rotate(ledger_, settings_.waf, now.wall, random_);
    if (!has_changed) return observer_.on_ledger_failed(has_changed.error(), now);
    if (*has_changed) make_server(now);
    observer_.on_turn_keys(turn_keys_.find_unfetched(settings_.waf, now.wall), *has_changed, now);
  }
  void take_turn_keys() {
    const auto work = [&] { keep_turn_keys(read_clocks()); };
    (void)loop_.ask(work);
  }
  std::expected<void, std::string> reconfigure(waf::Settings settings, std::vector<IssuerSource> issuers) {
    std::expected<void, std::string> outcome;
    const auto work = [&] {
      auto book = make_book(issuers);
      if (!book) {
        outcome = std::unexpected(std::move(book.error()));
        return;
      }
      settings_.waf = std::move(settings);
      settings_.issuers = std::move(issuers);
      books_.push_back(std::move(*book));
      make_server(read_clocks());
      // An older one stays for as long as somebody waits for its answers.
      const IssuerBook* newest = books_.back().get();
      std::erase_if(books_, [&](const auto& each) { return each.get() != newest && each.use_count() == 1; });
      books_.back()->warm_up();
      keep_up();
    };
    if (!loop_.ask(work)) work();  // the loop does not run: nobody else uses the machine
    return outcome;
  }

  std::expected<void, std::string> reload_certificate(const std::string& certificate_file,
                                                      const std::string& key_file) {
    std::expected<void, std::string> outcome;
    loop_.ask([&] {
      for (std::size_t at = 0; at < http_.size() && outcome; ++at)
        if (!settings_.listeners[at].certificate_file.empty())
          outcome = http_[at]->reload_certificate(certificate_file, key_file);
    });
    return outcome;
  }

  std::expected<void, std::string> reload_key_certificate(const std::string& certificate_file,
                                                          const std::string& key_file) {
    std::expected<void, std::string> outcome;
    loop_.ask([&] {
      if (key_http_) outcome = key_http_->reload_certificate(certificate_file, key_file);
    });
    return outcome;
  }

  Loop& loop() { return loop_; }
  [[nodiscard]] const std::vector<std::unique_ptr<HttpServer>>& http() const { return http_; }
  [[nodiscard]] const HttpServer* key_http() const { return key_http_.get(); }

 private:
  struct Call {
    waf::Request request;
    HttpServer::Respond respond;
  };

  // With the keys that tokens are made with now.
  void make_server(Now now) {
    waf::Settings settings = settings_.waf;
    turn_keys_.hand_out(settings, now.wall);
    server_.emplace(std::move(settings), ledger_, keys_, books_.back()->states());
  }

  void answer_turn_server(Call call) {
    const Now now = read_clocks();
    const IpAddress remote = call.request.remote;
    if (!limiter_.admit(remote, now.mono))
      return finish(call, {.reply = refuse_for_now(429, "There are too many requests from here.")}, now);
    waf::StunKeyAnswer answer = waf::answer_stun_key(settings_.waf, turn_keys_, call.request, now.wall);
    waf::Outcome outcome{.reply = std::move(answer.response)};
    if (!answer.server_name.empty()) {
      const bool is_first = turn_keys_.note_fetched(ledger_, answer.server_name, now.wall);
      outcome.failure = ledger_.take_failure();
      // A WAF that does not know that a key was fetched makes no tokens with it.
      if (outcome.failure) outcome.reply = refuse_for_now(503, "Nothing can be stored at the moment.");
      if (!outcome.failure && is_first) {
        make_server(now);
        observer_.on_turn_keys(turn_keys_.find_unfetched(settings_.waf, now.wall), true, now);
      }
      if (!outcome.failure) observer_.on_turn_keys_fetched(answer.server_name, remote, now);
    }
    finish(call, std::move(outcome), now);
  }
  void answer(Call call) {
    const Now now = read_clocks();
    if (!limiter_.admit(call.request.remote, now.mono))
      return refuse_busy(call, 429, "there are too many requests from here", now);
    decide(std::move(call), now);
  }
  void refuse_busy(Call& call, unsigned status, std::string_view why, Now now) {
    waf::Response response =
        server_->refuse(call.request, status, {waf::Error::temporarily_unavailable, std::string{why}});
    response.fields.emplace_back("Retry-After", "1");
    finish(call, {.reply = std::move(response)}, now);
  }
  HttpResponse refuse_unread(ServedRequest head, unsigned status) {
    waf::Response response =
        server_->refuse(to_request(std::move(head), settings_.waf.trusted_proxies), status,
                        {waf::Error::invalid_request, std::string{explain(status)}});
    return {.status = status, .fields = std::move(response.fields), .body = std::move(response.body)};
  }
  void decide(Call call, Now now) {
    waf::Outcome outcome = server_->on_request(call.request, now.wall, random_);
    go_on(std::move(call), std::move(outcome), now);
  }
  void go_on(Call call, waf::Outcome outcome, Now now) {
    if (auto* check = std::get_if<waf::PasswordCheck>(&outcome.reply))
      return is_checking_ ? wait(std::move(call), now) : check_password(std::move(call), std::move(*check));
    if (auto* needed = std::get_if<waf::FetchNeeded>(&outcome.reply)) return fetch(std::move(call), *needed);
    if (auto* made = std::get_if<waf::ProviderCall>(&outcome.reply))
      return call_provider(std::move(call), std::move(*made));
    finish(call, std::move(outcome), now);
  }

  using Shared = std::shared_ptr<Call>;  // what waits for an answer is copied
  void fetch(Call call, const waf::FetchNeeded& needed) {
    books_.back()->ensure(needed, [this, shared = std::make_shared<Call>(std::move(call))] {
      const Now now = read_clocks();
      waf::Outcome outcome = server_->on_fetched(shared->request, now.wall, random_);
      go_on(std::move(*shared), std::move(outcome), now);
    });
  }
  void call_provider(Call call, waf::ProviderCall made) {
    const waf::Provider* provider = waf::find_provider(settings_.waf, made.login.provider);
    HttpRequest request{.method = std::move(made.method),
                        .url = std::move(made.url),
                        .fields = std::move(made.fields),
                        .body = std::move(made.body),
                        // A provider closes connections that are idle. What it has not answered it has
                        // not done, as far as it goes: a code that was redeemed all the same is refused.
                        .is_repeatable = true};
    const std::string issuer = provider == nullptr ? "" : provider->issuer;
    books_.back()->send(issuer, std::move(request),
                        [this, made = std::move(made),
                         shared = std::make_shared<Call>(std::move(call))](HttpAnswer answer) mutable {
                          waf::ProviderAnswer told;
                          if (answer) told = {.status = answer->status, .body = std::move(answer->body)};
                          on_provider(shared, made, told);
                        });
  }
  void on_provider(const Shared& shared, const waf::ProviderCall& made, const waf::ProviderAnswer& told) {
    Now now = read_clocks();
    waf::Outcome outcome = server_->on_provider_answer(shared->request, made, told, true, now.wall, random_);
    const auto* needed = std::get_if<waf::FetchNeeded>(&outcome.reply);
    if (needed == nullptr) return go_on(std::move(*shared), std::move(outcome), now);
    books_.back()->ensure(*needed, [this, shared, made, told] {
      const Now later = read_clocks();
      waf::Outcome decided =
          server_->on_provider_answer(shared->request, made, told, false, later.wall, random_);
      go_on(std::move(*shared), std::move(decided), later);
    });
  }

  // Passwords are checked one after the other, and each waiting one is decided on anew: those that were sent
  // at the same time see what became of the others, so that no lock is overtaken.
  void wait(Call call, Now now) {
    if (waiting_.size() >= settings_.passwords_waiting_max)
      return refuse_busy(call, 503, "there are too many logins now", now);
    waiting_.push_back(std::move(call));
  }
  void check_password(Call call, waf::PasswordCheck check) {
    is_checking_ = true;
    worker_.post([this, call = std::move(call), check = std::move(check)]() mutable {
      const bool is_right = matches_password(check.password, check.stored);
      loop_.post([this, call = std::move(call), check = std::move(check), is_right]() mutable {
        on_checked(call, check, is_right);
      });
    });
  }
  void on_checked(Call& call, const waf::PasswordCheck& check, bool is_right) {
    const Now now = read_clocks();
    finish(call, server_->on_password(call.request, check, is_right, now.wall, random_), now);
    is_checking_ = false;
    while (!is_checking_ && !waiting_.empty()) {
      Call next = std::move(waiting_.front());
      waiting_.pop_front();
      decide(std::move(next), now);
    }
  }

  void finish(Call& call, waf::Outcome outcome, Now now) {
    auto& response = std::get<waf::Response>(outcome.reply);
    observer_.on_answer({.endpoint = find_endpoint(settings_.waf.issuer, call.request.path),
                         .status = response.status,
                         .error = find_error(response),
                         .remote = call.request.remote},
                        now);
    if (outcome.failure) observer_.on_ledger_failed(*outcome.failure, now);
    if (outcome.has_revoked) tell_revoked(now);
    call.respond(
        {.status = response.status, .fields = std::move(response.fields), .body = std::move(response.body)});
  }
  // All that the ledger has beyond what relays and eP-CSCF were told.
  void tell_revoked(Now now) {
    const waf::Revoked revoked = ledger_.find_revoked(told_, now.wall);
    tell_failure(now);
    std::vector<credentials::Revocation> revocations;
    for (const waf::RevokedBatch& batch : revoked.batches) {
      waf::add_revocations(settings_.waf, batch.tokens, batch.was_single, revocations);
      tell_registrations(batch.tokens);
    }
    told_ = revoked.position;
    if (revocations.empty()) return;
    const auto waits_for = std::make_shared<std::size_t>(revocations.size());
    for (const credentials::Revocation& revocation : revocations) {
      if (ports_.relays == nullptr) {
        observer_.on_revoked(false, now);
        continue;
      }
      ports_.relays->revoke(revocation, [this, waits_for, position = told_](bool is_done) {
        observer_.on_revoked(is_done, read_clocks());
        if (!is_done || --*waits_for > 0) return;
        ledger_.note_told(position);
        tell_failure(read_clocks());
      });
    }
  }
  // An eP-CSCF of this process, which needs no acknowledgement. It may take a token for as long as its clock
  // may be wrong.
  void tell_registrations(const std::vector<waf::Issued>& tokens) {
    if (ports_.registrations == nullptr) return;
    for (const waf::Issued& token : tokens)
      if (token.kind == waf::IssuedKind::registration)
        ports_.registrations->revoke({.issuer = settings_.waf.issuer,
                                      .token_id = token.id,
                                      .until = token.ends_at + registration_tolerance});
  }
  // Of what no request has asked for, so that none is answered as if it had failed.
  void tell_failure(Now now) {
    if (const auto failure = ledger_.take_failure()) observer_.on_ledger_failed(*failure, now);
  }
  std::expected<std::shared_ptr<IssuerBook>, std::string> make_book(
      const std::vector<IssuerSource>& issuers) {
    return IssuerBook::make(
        loop_.context(), issuers, settings_.issuer_book,
        [this](const IssuerNews& news) { observer_.on_issuer(news, read_clocks()); },
        books_.empty() ? nullptr : books_.back().get());
  }

  WafNodeSettings settings_;
  waf::Ledger& ledger_;
  WafObserver& observer_;
  Loop loop_{};  // outlives what waits for it, and the worker, which answers on it
  SystemRandom random_{};
  waf::KeyRing keys_;
  waf::TurnKeyRing turn_keys_;
  std::vector<std::shared_ptr<IssuerBook>> books_{};  // the last one is in force
  std::optional<waf::Server> server_{};               // from the start on
  SourceLimiter limiter_;
  Alarm upkeep_;
  Alarm look_;
  std::vector<std::unique_ptr<HttpServer>> http_{};
  std::unique_ptr<HttpServer> key_http_{};
  Loop worker_{};
  bool is_checking_ = false;
  std::deque<Call> waiting_{};
  WafPorts ports_{};
  std::int64_t told_ = 0;  // the position in the ledger
};

std::expected<std::unique_ptr<WafNode>, std::string> WafNode::open(WafNodeSettings settings,
                                                                   waf::Ledger& ledger,
                                                                   WafObserver& observer) {
  auto keys = waf::KeyRing::open(ledger);
  if (!keys) return std::unexpected("the WAF: " + keys.error());
  auto turn_keys = waf::TurnKeyRing::open(ledger);
  if (!turn_keys) return std::unexpected("the WAF: " + turn_keys.error());
  auto impl =
      std::make_unique<Impl>(std::move(settings), ledger, std::move(*keys), std::move(*turn_keys), observer);
  if (auto opened = impl->open_books(); !opened) return std::unexpected(std::move(opened.error()));
  if (auto listening = impl->listen(); !listening) return std::unexpected(std::move(listening.error()));
  return std::unique_ptr<WafNode>{new WafNode{std::move(impl)}};
}

WafNode::WafNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WafNode::~WafNode() = default;

Loop& WafNode::loop() { return impl_->loop(); }
void WafNode::start(const WafPorts& ports) { impl_->start(ports); }
void WafNode::stop() { impl_->stop(); }
std::expected<void, std::string> WafNode::reconfigure(waf::Settings settings,
                                                      std::vector<IssuerSource> issuers) {
  return impl_->reconfigure(std::move(settings), std::move(issuers));
}
void WafNode::take_turn_keys() { impl_->take_turn_keys(); }

std::expected<void, std::string> WafNode::reload_certificate(const std::string& certificate_file,
                                                             const std::string& key_file) {
  return impl_->reload_certificate(certificate_file, key_file);
}

std::expected<void, std::string> WafNode::reload_key_certificate(const std::string& certificate_file,
                                                                 const std::string& key_file) {
  return impl_->reload_key_certificate(certificate_file, key_file);
}

std::optional<SocketAddress> WafNode::key_listener() const {
  if (impl_->key_http() == nullptr) return std::nullopt;
  return impl_->key_http()->listener();
}

std::vector<SocketAddress> WafNode::listeners() const {
  std::vector<SocketAddress> addresses;
  for (const auto& http : impl_->http()) addresses.push_back(http->listener());
  return addresses;
}

}  // namespace turnpike::service
