#include "service/introspection.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "base/percent.hpp"
#include "jose/claims.hpp"
#include "jose/json.hpp"
#include "service/signed_token_checker.hpp"

namespace turnpike::service {
namespace {

namespace asio = boost::asio;
using OnAnswer = std::function<void(epcscf::TokenAnswer)>;

jose::JsonLimits json_limits(std::string_view body, const jose::Limits& limits) {
  return {.bytes_max = body.size(), .depth_max = limits.json_depth_max, .values_max = limits.json_values_max};
}

// RFC 7009 section 2.2.1. Providers that keep no signed tokens say this of every JWT, a stranger's too.
bool is_of_no_interest(const HttpResponse& answer, const jose::Limits& limits) {
  if (answer.status != 400) return false;
  const auto body = jose::parse_json(answer.body, json_limits(answer.body, limits));
  const std::string* error = body && body->is_object() ? jose::find_text(*body, "error") : nullptr;
  return error != nullptr && *error == "unsupported_token_type";
}

std::unexpected<epcscf::TokenRefusal> refusal_of(jose::Refusal refusal) {
  return std::unexpected(to_token_refusal(refusal));
}

}  // namespace

std::optional<epcscf::TokenAnswer> read_introspection(std::string_view body,
                                                      const IntrospectionSettings& settings,
                                                      std::chrono::seconds clock_skew,
                                                      const jose::Limits& limits, WallTime now) {
  const auto answer = jose::parse_json(body, json_limits(body, limits));
  if (!answer || !answer->is_object()) return std::nullopt;
  const auto active = answer->find("active");
  if (active == answer->end() || !active->is_boolean()) return std::nullopt;
  // RFC 7662 section 2.2: why it is not active is not said.
  if (!active->get<bool>()) return std::unexpected(epcscf::TokenRefusal::invalid);
  if (answer->contains("iss")) {
    const std::string* issuer = jose::find_text(*answer, "iss");
    if (issuer == nullptr || *issuer != settings.issuer) return refusal_of(jose::Refusal::issuer);
  }
  if (!settings.audience.empty() && !jose::is_for_audience(*answer, settings.audience))
    return refusal_of(jose::Refusal::audience);
  // A registration has to know its end, though the specification leaves "exp" to the WAF.
  const auto expires_at = jose::read_validity(*answer, clock_skew, now);
  if (!expires_at)
    return expires_at.error() == jose::Refusal::malformed ? refusal_of(jose::Refusal::missing_claim)
                                                          : refusal_of(expires_at.error());
  if (jose::is_bound_to_key(*answer)) return refusal_of(jose::Refusal::bound);
  const WallTime ends_at = *expires_at > now ? *expires_at : now + clock_skew;
  auto identity = read_identity(*answer, settings.identity, settings.issuer, ends_at);
  if (!identity) return refusal_of(jose::Refusal::missing_claim);
  return std::move(*identity);
}

void IntrospectionCache::insert(const crypto::Sha256& token, const epcscf::TokenIdentity& identity, Now now) {
  if (keep_.count() == 0 || entries_max_ == 0) return;
  while (!order_.empty()) {
    const auto oldest = entries_.find(order_.front());
    const bool is_kept = oldest != entries_.end() && oldest->second.until > now.mono;
    if (is_kept && entries_.size() < entries_max_) break;
    if (oldest != entries_.end()) entries_.erase(oldest);
    order_.pop_front();
  }
  if (entries_.insert_or_assign(token, Entry{identity, now.mono + keep_}).second) order_.push_back(token);
}

const epcscf::TokenIdentity* IntrospectionCache::find(const crypto::Sha256& token, Now now) const {
  const auto found = entries_.find(token);
  if (found == entries_.end()) return nullptr;
  const Entry& entry = found->second;
  return now.mono < entry.until && now.wall < entry.identity.expires_at ? &entry.identity : nullptr;
}

class IntrospectingChecker::Core : public std::enable_shared_from_this<IntrospectingChecker::Core> {
 public:
  Core(asio::io_context& loop, const TokenSettings& settings, Log& log, std::unique_ptr<HttpClient> client)
      : loop_(loop),
        settings_(*settings.introspection),
        clock_skew_(settings.clock_skew),
        limits_(settings.limits),
        log_(log),
        client_(std::move(client)),
        cache_(settings_.cache, limits_.cache_entries_max) {}

  void check(const std::string& token, const OnAnswer& on_answer);

 private:
  void ask(const std::string& token, const crypto::Sha256& hash);
  void on_answer(const crypto::Sha256& hash, const HttpAnswer& answer);
  epcscf::TokenAnswer read(const HttpAnswer& answer, Now now);
  void answer_later(const OnAnswer& on_answer, const epcscf::TokenAnswer& answer);

  asio::io_context& loop_;
  IntrospectionSettings settings_;
  std::chrono::seconds clock_skew_;
  TokenLimits limits_;
  Log& log_;
  std::unique_ptr<HttpClient> client_;
  IntrospectionCache cache_;
  // Who waits for the answer about a token: one question serves all that ask the same.
  std::map<crypto::Sha256, std::vector<OnAnswer>> asked_{};
  bool is_failing_ = false;
};

void IntrospectingChecker::Core::check(const std::string& token, const OnAnswer& on_answer) {
  const auto hash = crypto::sha256(as_bytes(token));
  if (const auto* identity = cache_.find(hash, read_clocks())) return answer_later(on_answer, *identity);
  if (token.empty() || token.size() > limits_.jose.token_bytes_max)
    return answer_later(on_answer, std::unexpected(epcscf::TokenRefusal::malformed));
  auto& waiting = asked_[hash];
  if (waiting.size() >= limits_.waiting_max)
    return answer_later(on_answer, std::unexpected(epcscf::TokenRefusal::unavailable));
  waiting.push_back(on_answer);
  if (waiting.size() == 1) ask(token, hash);
}

void IntrospectingChecker::Core::ask(const std::string& token, const crypto::Sha256& hash) {
  HttpRequest request{
      .method = "POST",
      .url = settings_.endpoint,
      .fields = {{"Authorization",
                  encode_basic_authorization(settings_.client_id, settings_.client_secret.reveal_text())},
                 {"Content-Type", "application/x-www-form-urlencoded"},
                 {"Accept", "application/json"}},
      .body = "token=" + encode_percent(token) + "&token_type_hint=access_token",
      .is_repeatable = true};
  // The client belongs to this object, and answers nobody after its end.
  client_->send(std::move(request), [this, hash](const HttpAnswer& answer) { on_answer(hash, answer); });
}

void IntrospectingChecker::Core::on_answer(const crypto::Sha256& hash, const HttpAnswer& answer) {
  const Now now = read_clocks();
  const epcscf::TokenAnswer result = read(answer, now);
  if (result) cache_.insert(hash, *result, now);
  const auto asked = asked_.extract(hash);
  if (asked.empty()) return;
  for (const OnAnswer& waiting : asked.mapped()) answer_later(waiting, result);
}

epcscf::TokenAnswer IntrospectingChecker::Core::read(const HttpAnswer& answer, Now now) {
  std::string reason;
  if (!answer) {
    reason = answer.error();
  } else if (is_of_no_interest(*answer, limits_.jose)) {
    is_failing_ = false;
    return std::unexpected(epcscf::TokenRefusal::invalid);
  } else if (answer->status != 200) {
    // 401: our own credentials are wrong (RFC 7662 section 2.3), which says nothing of the token.
    reason = fmt::format("status {}", answer->status);
  } else {
    auto read = read_introspection(answer->body, settings_, clock_skew_, limits_.jose, now.wall);
    if (read) {
      is_failing_ = false;
      return std::move(*read);
    }
    reason = "the answer is no JSON object with \"active\" within the limits";
  }
  // The first failure of a row is news; each one is a token that could not be checked.
  const auto level = std::exchange(is_failing_, true) ? LogLevel::debug : LogLevel::warn;
  log_.write(level, "introspection_failed", {{"endpoint", settings_.endpoint}, {"reason", reason}});
  return std::unexpected(epcscf::TokenRefusal::unavailable);
}

void IntrospectingChecker::Core::answer_later(const OnAnswer& on_answer, const epcscf::TokenAnswer& answer) {
  asio::post(loop_, [weak = weak_from_this(), on_answer, answer] {
    if (const auto self = weak.lock()) on_answer(answer);
  });
}

std::expected<std::unique_ptr<IntrospectingChecker>, std::string> IntrospectingChecker::make(
    asio::io_context& loop, const TokenSettings& settings, Log& log) {
  auto client = HttpClient::make(loop, {.ca_file = settings.introspection->ca_file,
                                        .deadline = settings.introspection->deadline,
                                        .response_bytes_max = settings.limits.answer_bytes_max});
  if (!client) return std::unexpected("introspection: " + client.error());
  auto core = std::make_shared<Core>(loop, settings, log, std::move(*client));
  return std::unique_ptr<IntrospectingChecker>{new IntrospectingChecker{std::move(core)}};
}

IntrospectingChecker::IntrospectingChecker(std::shared_ptr<Core> core) : core_(std::move(core)) {}

IntrospectingChecker::~IntrospectingChecker() = default;

void IntrospectingChecker::check(std::string token, OnAnswer on_answer) { core_->check(token, on_answer); }

}  // namespace turnpike::service
