#include "service/api_desk.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/source_limiter.hpp"
#include "epcscf/bearer_policy.hpp"
#include "epcscf/identities.hpp"
#include "service/api_json.hpp"
#include "service/api_request.hpp"
#include "service/loop_impl.hpp"
#include "sip/text.hpp"

namespace turnpike::service {
namespace {

using credentials::Revocation;
using provisioning::Provision;

enum class Resource : std::uint8_t { credentials, withdrawal, health };

// How long a relay refuses one credential of which nothing is known here; as the relays' interface has it.
constexpr std::chrono::hours username_revocation{25};
constexpr std::chrono::seconds preflight_life{600};

ApiRefusal refusal_of(provisioning::ProvisionFailure failure) {
  using enum provisioning::ProvisionFailure;
  switch (failure) {
    case unknown_realm:
    case unknown_transport:
      return ApiRefusal::bad_request;
    case no_relay:
      return ApiRefusal::no_relay;
    case no_source:
      break;
  }
  return ApiRefusal::no_source;
}

ApiRefusal refusal_of_token(epcscf::TokenRefusal refusal) {
  return refusal == epcscf::TokenRefusal::unavailable ? ApiRefusal::token_unchecked
                                                      : ApiRefusal::token_invalid;
}

ApiRefusal refusal_of(ApiCallers::Problem problem) {
  switch (problem) {
    case ApiCallers::Problem::unknown_key:
      return ApiRefusal::unknown_key;
    case ApiCallers::Problem::unknown_certificate:
      return ApiRefusal::unknown_certificate;
    case ApiCallers::Problem::nothing_shown:
      break;
  }
  return ApiRefusal::nothing_shown;
}

// "/" is the place of draft-uberti-behave-turn-rest-00, which names the service in its query.
std::optional<Resource> find_resource(const ServedRequest& request) {
  const std::string_view path = request.path();
  if (path == "/v1/turn-credentials" || path == "/turn-credentials") return Resource::credentials;
  if (path == "/" && request.find_query("service")) return Resource::credentials;
  if (path == "/v1/turn-credentials:withdraw") return Resource::withdrawal;
  if (path == "/v1/health") return Resource::health;
  return std::nullopt;
}

std::string_view methods_of(Resource resource) {
  if (resource == Resource::credentials) return "GET, POST, DELETE, OPTIONS";
  return resource == Resource::withdrawal ? "POST, OPTIONS" : "GET, OPTIONS";
}

bool allows(Resource resource, std::string_view method) {
  if (method == "POST") return resource != Resource::health;
  if (method == "GET") return resource != Resource::withdrawal;
  return method == "DELETE" && resource == Resource::credentials;
}

// One request on its way.
struct Ask {
  ServedRequest request{};
  HttpServer::Respond respond{};
  Resource resource{};
  std::string caller{};  // once it is known
  std::optional<epcscf::TokenIdentity> identity{};

  ApiOrder order{};  // of an issue, as are those that follow
  std::chrono::seconds lifetime{};
  std::string subject{};
};
using AskRef = std::shared_ptr<Ask>;

// What others answer in their time, or not.
struct Once {
  Once(asio::io_context& loop, std::function<void(bool)> end) : timer(loop), on_end(std::move(end)) {}
  void end(bool is_done) {
    timer.cancel();
    if (auto call = std::exchange(on_end, nullptr)) call(is_done);
  }
  SteadyTimer timer;
  std::function<void(bool)> on_end;
};

}  // namespace

class ApiDesk::Core : public std::enable_shared_from_this<ApiDesk::Core> {
 public:
  Core(asio::io_context& loop, ApiSettings settings, const ApiPorts& ports, Random& random,
       ApiObserver& observer, std::function<Now()> clock)
      : loop_(loop),
        settings_(std::move(settings)),
        ports_(ports),
        random_(random),
        observer_(observer),
        clock_(std::move(clock)),
        callers_(settings_.callers),
        sources_(settings_.limits.requests_per_second_per_source, random.next_u64()),
        ledger_(settings_.limits.users_max),
        provisioner_(make_provisioner()) {}

  void answer(ServedRequest request, HttpServer::Respond respond);
  void reconfigure(ApiSettings settings);
  void offer(std::vector<std::string> uris) {
    offered_ = std::move(uris);
    provisioner_ = make_provisioner();
  }
  std::size_t withdraw(std::string_view user);
  [[nodiscard]] ApiCounters counters() const;
  [[nodiscard]] std::vector<ApiUserView> users(std::size_t max) const {
    return ledger_.views(max, clock_().wall);
  }

 private:
  void authenticate(const AskRef& ask);
  void check_token(const AskRef& ask, std::string token);
  void on_token_checked(const AskRef& ask, const epcscf::TokenAnswer& answer);
  void serve(const AskRef& ask, const ApiCaller* caller);

  void issue(const AskRef& ask, const ApiCaller* caller);
  [[nodiscard]] std::optional<ApiRefusal> find_objection(Ask& ask, const ApiCaller* caller, Now now) const;
  void make(const AskRef& ask, std::optional<credentials::Source> only, bool is_fallback);
  void push(const AskRef& ask, Provision provision, bool is_fallback);
  void hand_out(Ask& ask, const Provision& provision, bool is_fallback);

  void take_back(const AskRef& ask, const ApiCaller* caller);
  void revoke(const std::vector<Revocation>& revocations, std::function<void(bool)> on_done);
  void ask_relays(std::chrono::milliseconds patience, const std::function<void(RelayPort::Completion)>& begin,
                  std::function<void(bool)> on_done);

  [[nodiscard]] bool allows_origin(std::string_view origin) const;
  void say(Ask& ask, HttpResponse response);
  void say_health(Ask& ask);
  void say_preflight(Ask& ask);
  void refuse(Ask& ask, ApiRefusal refusal, std::string_view detail = {},
              std::chrono::seconds retry_after = std::chrono::seconds{0});
  void add_challenges(const Ask& ask, ApiRefusal refusal, HttpFields& to) const;
  [[nodiscard]] provisioning::Provisioner make_provisioner() const;

  asio::io_context& loop_;
  ApiSettings settings_;
  ApiPorts ports_;
  Random& random_;
  ApiObserver& observer_;
  std::function<Now()> clock_;
  ApiCallers callers_;
  SourceLimiter sources_;
  ApiLedger ledger_;
  std::vector<std::string> offered_{};  // empty: those of the settings
  provisioning::Provisioner provisioner_;
  ApiCounters counters_{};
};

// The life of a credential is worked out here, from the wish, the caller and the token.
provisioning::Provisioner ApiDesk::Core::make_provisioner() const {
  provisioning::Settings settings = settings_.provisioning;
  settings.life = {.floor = std::chrono::seconds{1},
                   .cap = settings_.life.max,
                   .grace = std::chrono::seconds{0},
                   .grace_of_long = std::chrono::seconds{0}};
  if (!offered_.empty()) settings.uris = offered_;
  return provisioning::Provisioner{std::move(settings)};
}

void ApiDesk::Core::reconfigure(ApiSettings settings) {
  const Secret& key = settings.provisioning.opaque_id_key;
  if (!settings_.provisioning.opaque_id_key.equals(key.reveal())) ledger_.end_seats();
  settings_ = std::move(settings);
  callers_ = ApiCallers{settings_.callers};
  ledger_.set_users_max(settings_.limits.users_max);
  provisioner_ = make_provisioner();
}

ApiCounters ApiDesk::Core::counters() const {
  ApiCounters counters = counters_;
  counters.users = ledger_.size();
  return counters;
}

// --- who asks ---------------------------------------------------------------------------------------------

void ApiDesk::Core::answer(ServedRequest request, HttpServer::Respond respond) {
  const auto ask = std::make_shared<Ask>(Ask{.request = std::move(request), .respond = std::move(respond)});
  const auto resource = find_resource(ask->request);
  if (!resource) return refuse(*ask, ApiRefusal::not_found);
  ask->resource = *resource;
  const auto origin = ask->request.find("Origin");
  if (origin && !allows_origin(*origin)) return refuse(*ask, ApiRefusal::origin_not_allowed);
  if (ask->request.method == "OPTIONS") return say_preflight(*ask);
  if (!allows(*resource, ask->request.method)) return refuse(*ask, ApiRefusal::method_not_allowed);
  if (*resource == Resource::health) return say_health(*ask);
  authenticate(ask);
}

// A caller who has shown who it is may ask as often as it may; everybody else is bounded by their address,
// before anything is done that costs more than a hash.
void ApiDesk::Core::authenticate(const AskRef& ask) {
  const Now now = clock_();
  const auto token = find_authorization(ask->request, "Bearer");
  const auto found = token ? std::unexpected(ApiCallers::Problem::nothing_shown)
                           : callers_.find(ask->request, settings_.allows_key_in_query);
  if (!found && !sources_.admit(ask->request.peer.remote.ip, now.mono))
    return refuse(*ask, ApiRefusal::too_many_from_source, {}, std::chrono::seconds{1});
  if (token) return check_token(ask, std::string{*token});
  if (!found) return refuse(*ask, refusal_of(found.error()));
  ApiCallers::Entry& entry = **found;
  ask->caller = entry.caller.id;
  const auto wait = entry.requests.take(entry.caller.requests_per_second, std::chrono::seconds{1}, now.mono);
  if (wait.count() != 0) return refuse(*ask, ApiRefusal::too_many_from_caller, {}, wait);
  serve(ask, &entry.caller);
}

void ApiDesk::Core::check_token(const AskRef& ask, std::string token) {
  if (!settings_.takes_tokens || ports_.tokens == nullptr) return refuse(*ask, ApiRefusal::token_not_taken);
  if (counters_.waiting >= settings_.limits.waiting_max) return refuse(*ask, ApiRefusal::token_unchecked);
  ++counters_.waiting;
  ports_.tokens->check(std::move(token), [weak = weak_from_this(), ask](const epcscf::TokenAnswer& answer) {
    const auto self = weak.lock();
    if (!self) return;
    --self->counters_.waiting;
    self->on_token_checked(ask, answer);
  });
}

void ApiDesk::Core::on_token_checked(const AskRef& ask, const epcscf::TokenAnswer& answer) {
  if (!answer) return refuse(*ask, refusal_of_token(answer.error()));
  ask->caller = answer->issuer;
  if (const auto objection = epcscf::find_trust_objection(*answer, settings_.bearer))
    return refuse(*ask, ApiRefusal::token_not_trusted, epcscf::to_string(*objection));
  if (answer->impi.empty()) return refuse(*ask, ApiRefusal::token_invalid, "it names no private identity");
  ask->identity = *answer;
  serve(ask, nullptr);
}

// `caller`: null where a token was shown.
void ApiDesk::Core::serve(const AskRef& ask, const ApiCaller* caller) {
  if (ask->resource == Resource::withdrawal || ask->request.method == "DELETE") return take_back(ask, caller);
  issue(ask, caller);
}

// --- credentials ------------------------------------------------------------------------------------------

namespace {

// The holder of a token is asked for by any of their identities, or by none.
bool is_own(const epcscf::TokenIdentity& identity, std::string_view user) {
  if (user.empty() || user == identity.impi) return true;
  const std::string wanted = epcscf::canonical_identity(user);
  return std::ranges::any_of(identity.impus, [&](const std::string& impu) {
    return impu == user || epcscf::canonical_identity(impu) == wanted;
  });
}

}  // namespace

std::optional<ApiRefusal> ApiDesk::Core::find_objection(Ask& ask, const ApiCaller* caller, Now now) const {
  const ApiLife& life = settings_.life;
  std::chrono::seconds max = life.max;
  if (caller != nullptr) {
    if (!may_speak_for(*caller, ask.order.user)) return ApiRefusal::user_not_allowed;
    max = std::min(max, caller->ttl_max.value_or(max));
  } else {
    if (!is_own(*ask.identity, ask.order.user)) return ApiRefusal::user_not_allowed;
    ask.order.user = ask.identity->impi;
    max = std::min(max, std::chrono::floor<std::chrono::seconds>(ask.identity->expires_at - now.wall));
    if (max < std::chrono::seconds{1}) return ApiRefusal::token_invalid;
  }
  ask.lifetime = std::min(std::max(ask.order.wish.ttl.value_or(life.usual), life.min), max);
  ask.order.wish.ttl.reset();
  return std::nullopt;
}

void ApiDesk::Core::issue(const AskRef& ask, const ApiCaller* caller) {
  auto order = read_api_order(ask->request);
  if (!order)
    return refuse(*ask,
                  order.error().is_unsupported_body ? ApiRefusal::unsupported_body : ApiRefusal::bad_request,
                  order.error().words);
  ask->order = std::move(*order);
  const Now now = clock_();
  if (const auto objection = find_objection(*ask, caller, now)) return refuse(*ask, *objection);
  if (!ask->order.user.empty()) {
    auto* user = ledger_.find_or_add(ask->order.user, now);
    if (user == nullptr) return refuse(*ask, ApiRefusal::too_many_users, {}, std::chrono::seconds{10});
    const auto wait =
        user->requests.take(settings_.limits.requests_per_minute_per_user, std::chrono::minutes{1}, now.mono);
    if (wait.count() != 0) return refuse(*ask, ApiRefusal::too_many_for_user, {}, wait);
  }
  make(ask, std::nullopt, false);
}

// Whoever is nobody has an identity for this once, and nothing that could be taken back but by its name.
void ApiDesk::Core::make(const AskRef& ask, std::optional<credentials::Source> only, bool is_fallback) {
  const Now now = clock_();
  ApiLedger::User nobody;
  const bool is_named = !ask->order.user.empty();
  auto* user = is_named ? ledger_.find_or_add(ask->order.user, now) : &nobody;
  if (user == nullptr) return refuse(*ask, ApiRefusal::too_many_users, {}, std::chrono::seconds{10});
  ApiLedger::Seat& seat = ApiLedger::find_seat(*user, now, random_);
  const provisioning::Subject subject{
      .user_id = ask->order.user, .salt = seat.salt, .last_end = seat.last_end};
  auto made = provisioner_.provision(ask->order.wish, subject, ask->lifetime, only, now.wall, random_);
  if (!made)
    return refuse(*ask, refusal_of(made.error()), fmt::format("{}", provisioning::to_string(made.error())),
                  std::chrono::seconds{5});
  seat.subject = ask->subject = provisioner_.make_subject(subject);
  seat.last_end = made->entries.front().expires_at;
  seat.until = std::max(seat.until, provisioning::find_last_end(*made));
  if (made->push) return push(ask, std::move(*made), is_fallback);
  hand_out(*ask, *made, is_fallback);
}

// Nobody is shown a credential before a relay has it.
void ApiDesk::Core::push(const AskRef& ask, Provision provision, bool is_fallback) {
  const auto shared = std::make_shared<Provision>(std::move(provision));
  const auto on_done = [this, ask, shared, is_fallback](bool is_done) {
    if (is_done) return hand_out(*ask, *shared, is_fallback);
    // It may have reached a relay after all.
    revoke({{.by = Revocation::By::username,
             .value = shared->push->username,
             .until = provisioning::find_last_end(*shared)}},
           [](bool) {});
    const auto next = provisioner_.find_fallback(shared->source);
    if (!next) return refuse(*ask, ApiRefusal::not_acknowledged, {}, std::chrono::seconds{2});
    make(ask, next, true);
  };
  ask_relays(
      settings_.push_patience,
      [this, shared](RelayPort::Completion completion) {
        ports_.relays->put(*shared->push, std::move(completion));
      },
      on_done);
}

void ApiDesk::Core::hand_out(Ask& ask, const Provision& provision, bool is_fallback) {
  ++counters_.issued;
  if (is_fallback) ++counters_.issued_by_fallback;
  const provisioning::Entry& entry = provision.entries.front();
  observer_.on_issued({.caller = ask.caller,
                       .subject = ask.subject,
                       .source = provision.source,
                       .is_fallback = is_fallback,
                       .ttl = entry.ttl});
  say(ask, {.status = 200,
            .fields = {{"Content-Type", "application/json"}},
            .body = format_api_answer(provision, ask.order.format, clock_().wall)});
}

// --- withdrawal -------------------------------------------------------------------------------------------

void ApiDesk::Core::take_back(const AskRef& ask, const ApiCaller* caller) {
  auto wanted = read_api_withdrawal(ask->request);
  // The holder of a token need not say who they are.
  if (!wanted && caller == nullptr && !wanted.error().is_unsupported_body &&
      !ask->request.find_query("user") && !ask->request.find_query("username") && ask->request.body.empty())
    wanted = ApiWithdrawal{.user = ask->identity->impi};
  if (!wanted)
    return refuse(*ask,
                  wanted.error().is_unsupported_body ? ApiRefusal::unsupported_body : ApiRefusal::bad_request,
                  wanted.error().words);
  const bool is_by_name = !wanted->username.empty();
  const bool is_allowed = caller == nullptr ? !is_by_name && is_own(*ask->identity, wanted->user)
                          : is_by_name      ? may_speak_for_all(*caller)
                                            : may_speak_for(*caller, wanted->user);
  if (!is_allowed) return refuse(*ask, ApiRefusal::user_not_allowed);
  if (ports_.relays == nullptr) return refuse(*ask, ApiRefusal::no_relay);
  const Now now = clock_();
  const std::vector<Revocation> revocations =
      is_by_name ? std::vector<Revocation>{{.by = Revocation::By::username,
                                            .value = wanted->username,
                                            .until = now.wall + username_revocation}}
                 : ledger_.withdraw(caller == nullptr ? ask->identity->impi : wanted->user, now);
  const std::size_t count = revocations.size();
  revoke(revocations, [this, ask, count](bool is_done) {
    ++counters_.withdrawals;
    if (!is_done) ++counters_.withdrawals_unconfirmed;
    observer_.on_withdrawn(ask->caller, count, is_done);
    say(*ask, {.status = is_done ? 200U : 202U,
               .fields = {{"Content-Type", "application/json"}},
               .body = format_api_withdrawal(count, is_done)});
  });
}

std::size_t ApiDesk::Core::withdraw(std::string_view user) {
  const auto revocations = ledger_.withdraw(user, clock_());
  revoke(revocations, [this, count = revocations.size()](bool is_done) {
    ++counters_.withdrawals;
    if (!is_done) ++counters_.withdrawals_unconfirmed;
    observer_.on_withdrawn("administrator", count, is_done);
  });
  return revocations.size();
}

void ApiDesk::Core::revoke(const std::vector<Revocation>& revocations, std::function<void(bool)> on_done) {
  if (revocations.empty()) return on_done(true);
  ask_relays(
      settings_.withdraw_patience,
      [this, &revocations](RelayPort::Completion completion) {
        struct All {
          RelayPort::Completion completion;
          std::size_t waits_for;
          bool is_done = true;
        };
        const auto all = std::make_shared<All>(All{std::move(completion), revocations.size()});
        for (const Revocation& revocation : revocations)
          ports_.relays->revoke(revocation, [all](bool is_done) {
            all->is_done &= is_done;
            if (--all->waits_for == 0) all->completion(all->is_done);
          });
      },
      std::move(on_done));
}

// `on_done` runs once, later, if this is still there then: false where nobody answers in time.
void ApiDesk::Core::ask_relays(std::chrono::milliseconds patience,
                               const std::function<void(RelayPort::Completion)>& begin,
                               std::function<void(bool)> on_done) {
  ++counters_.waiting;
  const auto once =
      std::make_shared<Once>(loop_, [weak = weak_from_this(), on_done = std::move(on_done)](bool is_done) {
        const auto self = weak.lock();
        if (!self) return;
        --self->counters_.waiting;
        on_done(is_done);
      });
  const bool can = ports_.relays != nullptr && counters_.waiting <= settings_.limits.waiting_max;
  once->timer.expires_after(can ? patience : std::chrono::milliseconds{0});
  once->timer.async_wait([once](const ErrorCode& error) {
    if (!error) once->end(false);
  });
  if (can) begin([once](bool is_done) { once->end(is_done); });
}

// --- answers ----------------------------------------------------------------------------------------------

bool ApiDesk::Core::allows_origin(std::string_view origin) const {
  return std::ranges::any_of(settings_.origins, [&](const std::string& allowed) {
    return allowed == "*" || sip::equal_ignoring_case(allowed, origin);
  });
}

void ApiDesk::Core::say(Ask& ask, HttpResponse response) {
  response.fields.emplace_back("Cache-Control", "no-store");
  if (!settings_.origins.empty()) response.fields.emplace_back("Vary", "Origin");
  const auto origin = ask.request.find("Origin");
  if (origin && allows_origin(*origin)) {
    response.fields.emplace_back("Access-Control-Allow-Origin", std::string{*origin});
    response.fields.emplace_back("Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate");
  }
  std::exchange(ask.respond, nullptr)(std::move(response));
}

void ApiDesk::Core::say_preflight(Ask& ask) {
  const std::string methods{methods_of(ask.resource)};
  HttpResponse response{.status = 204, .fields = {{"Allow", methods}}};
  if (ask.request.find("Origin")) {
    response.fields.emplace_back("Access-Control-Allow-Methods", methods);
    response.fields.emplace_back("Access-Control-Allow-Headers", "Authorization, Content-Type, X-API-Key");
    response.fields.emplace_back("Access-Control-Max-Age", std::to_string(preflight_life.count()));
  }
  say(ask, std::move(response));
}

// For what balances load: whether somebody who may ask would be given something.
void ApiDesk::Core::say_health(Ask& ask) {
  const bool is_able = !provisioner_.settings().uris.empty();
  say(ask, {.status = is_able ? 200U : 503U,
            .fields = {{"Content-Type", "application/json"}},
            .body = is_able ? R"({"status":"ok"})" : R"({"status":"no_relay"})"});
}

void ApiDesk::Core::refuse(Ask& ask, ApiRefusal refusal, std::string_view detail,
                           std::chrono::seconds retry_after) {
  ++counters_.refused.at(static_cast<std::size_t>(refusal));
  const unsigned status = status_of(refusal);
  observer_.on_refused(ask.caller, ask.request.peer.remote, refusal, clock_());
  HttpResponse response{.status = status,
                        .fields = {{"Content-Type", "application/problem+json"}},
                        .body = format_api_problem(status, to_string(refusal), title_of(refusal), detail)};
  if (refusal == ApiRefusal::method_not_allowed)
    response.fields.emplace_back("Allow", std::string{methods_of(ask.resource)});
  if (retry_after.count() != 0 && (status == 429 || status == 503))
    response.fields.emplace_back("Retry-After", std::to_string(retry_after.count()));
  if (status == 401) add_challenges(ask, refusal, response.fields);
  say(ask, std::move(response));
}

// Basic is named to those alone who have tried it: a browser would ask its user for a password.
void ApiDesk::Core::add_challenges(const Ask& ask, ApiRefusal refusal, HttpFields& to) const {
  const std::string realm = "realm=" + sip::quoted_string(settings_.provisioning.realm);
  if (settings_.takes_tokens)
    to.emplace_back(
        "WWW-Authenticate",
        "Bearer " + realm + (refusal == ApiRefusal::token_invalid ? ", error=\"invalid_token\"" : ""));
  if (callers_.has_keys() || !settings_.takes_tokens) to.emplace_back("WWW-Authenticate", "ApiKey " + realm);
  if (find_authorization(ask.request, "Basic"))
    to.emplace_back("WWW-Authenticate", "Basic " + realm + ", charset=\"UTF-8\"");
}

ApiDesk::ApiDesk(asio::io_context& loop, ApiSettings settings, const ApiPorts& ports, Random& random,
                 ApiObserver& observer, std::function<Now()> clock)
    : core_(std::make_shared<Core>(loop, std::move(settings), ports, random, observer, std::move(clock))) {}
ApiDesk::~ApiDesk() = default;

void ApiDesk::answer(ServedRequest request, HttpServer::Respond respond) {
  core_->answer(std::move(request), std::move(respond));
}
void ApiDesk::reconfigure(ApiSettings settings) { core_->reconfigure(std::move(settings)); }
void ApiDesk::offer(std::vector<std::string> uris) { core_->offer(std::move(uris)); }
std::size_t ApiDesk::withdraw(std::string_view user) { return core_->withdraw(user); }
ApiCounters ApiDesk::counters() const { return core_->counters(); }
std::vector<ApiUserView> ApiDesk::users(std::size_t max) const { return core_->users(max); }

}  // namespace turnpike::service
