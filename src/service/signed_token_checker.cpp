#include "service/signed_token_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include "jose/claims.hpp"
#include "service/http_client.hpp"

namespace turnpike::service {
namespace {

namespace asio = boost::asio;
using OnAnswer = std::function<void(epcscf::TokenAnswer)>;

std::expected<std::string, std::string> read_file(const std::string& name, std::size_t size_max) {
  std::ifstream file{name, std::ios::binary};
  if (!file) return std::unexpected(fmt::format("cannot read {}", name));
  std::string text(size_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > size_max)
    return std::unexpected(fmt::format("{} is longer than {} bytes", name, size_max));
  return text;
}

struct Waiting {
  jose::UnverifiedToken token;
  OnAnswer on_answer;
};

struct Issuer {
  SignedTokenIssuer settings;
  IssuerKeys keys;
  std::optional<jose::KeySet> shared{};  // in place of keys that come and go
  std::unique_ptr<HttpClient> client{};  // where they come from a URI
  asio::steady_timer next_fetch;
  std::vector<Waiting> waiting{};
  std::vector<std::string> kids{};  // that were logged
};

}  // namespace

epcscf::TokenRefusal to_token_refusal(jose::Refusal refusal) {
  switch (refusal) {
    case jose::Refusal::malformed:
      return epcscf::TokenRefusal::malformed;
    case jose::Refusal::expired:
      return epcscf::TokenRefusal::expired;
    case jose::Refusal::not_yet_valid:
      return epcscf::TokenRefusal::not_yet_valid;
    case jose::Refusal::bound:
      return epcscf::TokenRefusal::bound;
    case jose::Refusal::algorithm:
    case jose::Refusal::critical_header:
    case jose::Refusal::unknown_key:
    case jose::Refusal::signature:
    case jose::Refusal::type:
    case jose::Refusal::issuer:
    case jose::Refusal::audience:
    case jose::Refusal::nonce:
    case jose::Refusal::missing_claim:
      return epcscf::TokenRefusal::invalid;
  }
  return epcscf::TokenRefusal::invalid;
}

class SignedTokenChecker::Core : public std::enable_shared_from_this<SignedTokenChecker::Core> {
 public:
  Core(asio::io_context& loop, const TokenSettings& settings, Log& log)
      : loop_(loop), settings_(settings), log_(log) {}

  std::expected<void, std::string> add(const SignedTokenIssuer& settings);
  void start() {
    for (const auto& issuer : issuers_)
      if (!issuer->shared) plan(*issuer);
  }
  void check(std::string_view compact, const OnAnswer& on_answer);
  void check(jose::UnverifiedToken token, const OnAnswer& on_answer);
  [[nodiscard]] Issuer* find(std::string_view name) const {
    const auto found =
        std::ranges::find_if(issuers_, [&](const auto& issuer) { return issuer->settings.issuer == name; });
    return found == issuers_.end() ? nullptr : found->get();
  }

 private:
  std::expected<epcscf::TokenIdentity, jose::Refusal> judge(const Issuer& issuer, jose::UnverifiedToken token,
                                                            const jose::KeySet& keys) const;
  void fetch(Issuer& issuer);
  void on_document(Issuer& issuer, const std::expected<std::string, std::string>& document,
                   std::optional<std::chrono::seconds> lifetime);
  void judge_waiting(Issuer& issuer);
  void plan(Issuer& issuer);
  void refuse(const OnAnswer& on_answer, std::string_view issuer, jose::Refusal refusal);
  void answer_later(const OnAnswer& on_answer, const epcscf::TokenAnswer& answer);

  asio::io_context& loop_;
  TokenSettings settings_;
  Log& log_;
  std::vector<std::unique_ptr<Issuer>> issuers_{};
};

std::expected<void, std::string> SignedTokenChecker::Core::add(const SignedTokenIssuer& settings) {
  const Instant now = read_clocks().mono;
  auto issuer = std::make_unique<Issuer>(Issuer{.settings = settings,
                                                .keys = IssuerKeys{settings_.keys, now},
                                                .next_fetch = asio::steady_timer{loop_}});
  if (!settings.shared_secret.empty()) {
    auto keys = jose::KeySet::share(settings.shared_secret, "");
    if (!keys) return std::unexpected("shared_secret " + keys.error());
    issuer->shared = std::move(*keys);
  } else if (!settings.jwks_uri.empty()) {
    auto client = HttpClient::make(loop_, {.ca_file = settings.ca_file,
                                           .deadline = settings_.limits.keys_deadline,
                                           .response_bytes_max = settings_.limits.jose.key_set_bytes_max});
    if (!client) return std::unexpected(client.error());
    issuer->client = std::move(*client);
  } else {
    const auto text = read_file(settings.jwks_file, settings_.limits.jose.key_set_bytes_max);
    if (!text) return std::unexpected(text.error());
    auto keys = jose::KeySet::parse(*text, settings_.limits.jose);
    if (!keys) return std::unexpected(settings.jwks_file + " " + keys.error());
    issuer->kids = keys->kids();
    issuer->keys.on_fetched(std::move(*keys), std::nullopt, now);
  }
  issuers_.push_back(std::move(issuer));
  return {};
}

void SignedTokenChecker::Core::check(std::string_view compact, const OnAnswer& on_answer) {
  auto token = jose::read_token(compact, settings_.limits.jose);
  if (!token) return refuse(on_answer, "", token.error());
  check(std::move(*token), on_answer);
}

void SignedTokenChecker::Core::check(jose::UnverifiedToken token, const OnAnswer& on_answer) {
  Issuer* issuer = find(token.claimed_issuer());
  if (issuer == nullptr) return refuse(on_answer, "", jose::Refusal::issuer);
  const jose::KeySet* keys = issuer->shared ? &*issuer->shared : issuer->keys.keys();
  auto refusal = jose::Refusal::unknown_key;
  if (keys != nullptr) {
    auto identity = judge(*issuer, token, *keys);
    if (identity) return answer_later(on_answer, std::move(*identity));
    refusal = identity.error();
  }
  if (refusal != jose::Refusal::unknown_key || issuer->shared)
    return refuse(on_answer, issuer->settings.issuer, refusal);
  switch (issuer->keys.on_missing(read_clocks().mono)) {
    case IssuerKeys::Advice::believe:
      return refuse(on_answer, issuer->settings.issuer, refusal);
    case IssuerKeys::Advice::give_up:
      return answer_later(on_answer, std::unexpected(epcscf::TokenRefusal::unavailable));
    case IssuerKeys::Advice::wait:
      break;
  }
  if (issuer->waiting.size() >= settings_.limits.waiting_max)
    return answer_later(on_answer, std::unexpected(epcscf::TokenRefusal::unavailable));
  issuer->waiting.push_back({std::move(token), on_answer});
  if (!issuer->keys.is_fetching()) fetch(*issuer);
}

std::expected<epcscf::TokenIdentity, jose::Refusal> SignedTokenChecker::Core::judge(
    const Issuer& issuer, jose::UnverifiedToken token, const jose::KeySet& keys) const {
  auto verified = jose::verify(std::move(token), keys, issuer.settings.algorithms);
  if (!verified) return std::unexpected(verified.error());
  const jose::ClaimRules rules{.issuer = issuer.settings.issuer,
                               .audience = issuer.settings.audience,
                               .types = issuer.settings.types,
                               .clock_skew = settings_.clock_skew};
  const WallTime now = read_clocks().wall;
  const auto claims = jose::read_claims(std::move(*verified), rules, now);
  if (!claims) return std::unexpected(claims.error());
  if (jose::is_bound_to_key(claims->payload)) return std::unexpected(jose::Refusal::bound);
  // What the skew lets pass lives as long as the skew does.
  const WallTime ends_at = claims->expires_at > now ? claims->expires_at : now + settings_.clock_skew;
  auto identity = read_identity(claims->payload, issuer.settings.identity, issuer.settings.issuer, ends_at);
  if (identity) return std::move(*identity);
  log_.debug("token_without_identity",
             {{"issuer", issuer.settings.issuer}, {"claim", to_string(identity.error())}});
  return std::unexpected(jose::Refusal::missing_claim);
}

void SignedTokenChecker::Core::fetch(Issuer& issuer) {
  issuer.next_fetch.cancel();
  issuer.keys.on_fetch_started();
  if (!issuer.client) {
    const auto text = read_file(issuer.settings.jwks_file, settings_.limits.jose.key_set_bytes_max);
    asio::post(loop_, [weak = weak_from_this(), &issuer, text] {
      if (const auto self = weak.lock()) self->on_document(issuer, text, std::nullopt);
    });
    return;
  }
  HttpRequest request{.url = issuer.settings.jwks_uri,
                      .fields = {{"Accept", "application/jwk-set+json, application/json"}}};
  // The client belongs to this object, and answers nobody after its end.
  issuer.client->send(std::move(request), [this, &issuer](const HttpAnswer& answer) {
    if (!answer) return on_document(issuer, std::unexpected(answer.error()), std::nullopt);
    if (answer->status != 200)
      return on_document(issuer, std::unexpected(fmt::format("status {}", answer->status)), std::nullopt);
    const auto cache_control = answer->find("Cache-Control");
    on_document(issuer, answer->body, cache_control ? read_max_age(*cache_control) : std::nullopt);
  });
}

void SignedTokenChecker::Core::on_document(Issuer& issuer,
                                           const std::expected<std::string, std::string>& document,
                                           std::optional<std::chrono::seconds> lifetime) {
  const Instant now = read_clocks().mono;
  auto keys = document ? jose::KeySet::parse(*document, settings_.limits.jose)
                       : std::expected<jose::KeySet, std::string>{std::unexpected(document.error())};
  if (keys) {
    const auto kids = keys->kids();
    if (kids != issuer.kids)
      log_.info("token_keys_changed", {{"issuer", issuer.settings.issuer}, {"keys", kids.size()}});
    issuer.kids = kids;
    issuer.keys.on_fetched(std::move(*keys), lifetime, now);
  } else {
    issuer.keys.on_fetch_failed(now);
    log_.warn("token_keys_unavailable",
              {{"issuer", issuer.settings.issuer},
               {"reason", keys.error()},
               {"has_older", issuer.keys.keys() != nullptr},
               {"next_try_ms",
                std::chrono::ceil<std::chrono::milliseconds>(*issuer.keys.next_fetch() - now).count()}});
  }
  plan(issuer);
  judge_waiting(issuer);
}

void SignedTokenChecker::Core::judge_waiting(Issuer& issuer) {
  const auto keep_alive = shared_from_this();  // an answer may be the end of this object
  const auto waiting = std::exchange(issuer.waiting, {});
  const bool are_new = issuer.keys.on_missing(read_clocks().mono) == IssuerKeys::Advice::believe;
  for (const Waiting& one : waiting) {
    auto identity = issuer.keys.keys() == nullptr ? std::unexpected(jose::Refusal::unknown_key)
                                                  : judge(issuer, one.token, *issuer.keys.keys());
    if (identity) {
      answer_later(one.on_answer, std::move(*identity));
    } else if (identity.error() == jose::Refusal::unknown_key && !are_new) {
      answer_later(one.on_answer, std::unexpected(epcscf::TokenRefusal::unavailable));
    } else {
      refuse(one.on_answer, issuer.settings.issuer, identity.error());
    }
  }
}

void SignedTokenChecker::Core::plan(Issuer& issuer) {
  const auto at = issuer.keys.next_fetch();
  if (!at) return;
  issuer.next_fetch.expires_after(std::max(*at - read_clocks().mono, Duration{}));
  issuer.next_fetch.async_wait([weak = weak_from_this(), &issuer](boost::system::error_code error) {
    const auto self = weak.lock();
    if (!error && self && !issuer.keys.is_fetching()) self->fetch(issuer);
  });
}

void SignedTokenChecker::Core::refuse(const OnAnswer& on_answer, std::string_view issuer,
                                      jose::Refusal refusal) {
  log_.debug("token_refused", {{"issuer", issuer}, {"reason", to_string(refusal)}});
  answer_later(on_answer, std::unexpected(to_token_refusal(refusal)));
}

void SignedTokenChecker::Core::answer_later(const OnAnswer& on_answer, const epcscf::TokenAnswer& answer) {
  asio::post(loop_, [weak = weak_from_this(), on_answer, answer] {
    if (const auto self = weak.lock()) on_answer(answer);
  });
}

std::expected<std::unique_ptr<SignedTokenChecker>, std::string> SignedTokenChecker::make(
    asio::io_context& loop, const TokenSettings& settings, Log& log) {
  auto core = std::make_shared<Core>(loop, settings, log);
  for (const SignedTokenIssuer& issuer : settings.issuers)
    if (const auto added = core->add(issuer); !added)
      return std::unexpected(fmt::format("issuer {}: {}", issuer.issuer, added.error()));
  core->start();
  return std::unique_ptr<SignedTokenChecker>{new SignedTokenChecker{std::move(core)}};
}

SignedTokenChecker::SignedTokenChecker(std::shared_ptr<Core> core) : core_(std::move(core)) {}

SignedTokenChecker::~SignedTokenChecker() = default;

void SignedTokenChecker::check(std::string token, OnAnswer on_answer) {
  core_->check(std::string_view{token}, on_answer);
}

void SignedTokenChecker::check(jose::UnverifiedToken token, const OnAnswer& on_answer) {
  core_->check(std::move(token), on_answer);
}

bool SignedTokenChecker::knows(std::string_view issuer) const { return core_->find(issuer) != nullptr; }

}  // namespace turnpike::service
