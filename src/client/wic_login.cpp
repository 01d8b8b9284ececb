#include "client/wic_login.hpp"

#include <utility>

#include "sip/digest.hpp"
#include "sip/values.hpp"

namespace turnpike::client {
namespace {

constexpr int challenges_max = 4;  // of one request: the first, and nonces that were called stale

sip::HeaderName answer_of(sip::HeaderName challenge) {
  return challenge == sip::HeaderName::proxy_authenticate ? sip::HeaderName::proxy_authorization
                                                          : sip::HeaderName::authorization;
}

sip::DigestAlgorithm algorithm_of(const sip::Credentials& challenge) {
  const auto named = challenge.text("algorithm");
  return (named ? sip::parse_digest_algorithm(*named) : std::nullopt).value_or(sip::DigestAlgorithm{});
}

}  // namespace

std::string_view WicAuthenticator::username() const {
  const auto* digest = std::get_if<DigestLogin>(&login_);
  return digest != nullptr ? std::string_view{digest->username} : std::string_view{};
}

WicAuthenticator::Header WicAuthenticator::authorize(std::string_view method, std::string_view uri) {
  if (const auto* bearer = std::get_if<BearerLogin>(&login_)) {
    method_name_ = "Bearer";
    const std::string token{bearer->token.reveal_text()};
    if (bearer->spelling == BearerSpelling::bare) return {.value = "Bearer " + token};
    return {.value = "Bearer access_token=" + sip::quoted_string(token)};
  }
  if (!challenge_) return {.value = empty_digest(uri)};
  const auto challenge = sip::Credentials::parse(challenge_->text);
  const std::string cnonce = to_hex(random_.draw<8>());
  const sip::DigestAnswer answer{.username = username(),
                                 .password = std::get<DigestLogin>(login_).password.reveal_text(),
                                 .method = method,
                                 .uri = uri,
                                 .cnonce = cnonce,
                                 .nonce_count = ++challenge_->nonce_count};
  return {.name = challenge_->answer,
          .value = sip::answer_challenge(*challenge, answer).value_or(empty_digest(uri))};
}

// TS 24.229 section 5.1.1.2: the first REGISTER names the IMPI, and nothing that it knows yet.
std::string WicAuthenticator::empty_digest(std::string_view uri) const {
  return "Digest username=" + sip::quoted_string(username()) + ", realm=" + sip::quoted_string(home_) +
         ", nonce=\"\", uri=" + sip::quoted_string(uri) + ", response=\"\"";
}

std::expected<void, LoginRefusal> WicAuthenticator::on_challenge(const sip::Message& response) {
  if (std::holds_alternative<BearerLogin>(login_)) return refuse_token(response);
  auto challenge = choose(response);
  if (!challenge) return std::unexpected(LoginRefusal::unknown_challenge);
  if (++challenges_ > challenges_max) return std::unexpected(LoginRefusal::too_many_challenges);
  return on_digest(*std::move(challenge));
}

// A nonce that lasted from an earlier request may have ended, whether the server says so or not; the answer
// to one that has just been given counts.
std::expected<void, LoginRefusal> WicAuthenticator::on_digest(Challenge challenge) {
  if (has_answered_ && !challenge.is_stale) {
    challenge_.reset();
    return std::unexpected(LoginRefusal::wrong_secret);
  }
  has_answered_ = true;
  method_name_ = sip::to_string(algorithm_of(*sip::Credentials::parse(challenge.text)));
  challenge_ = std::move(challenge);
  return {};
}

// RFC 8760 section 2.4: the first that is understood, in the order of the server; ours is by strength.
std::optional<WicAuthenticator::Challenge> WicAuthenticator::choose(const sip::Message& response) const {
  std::optional<Challenge> best;
  int best_preference = 0;
  for (std::size_t row = 0; row < response.header_count(); ++row) {
    const auto name = response.header_name(row);
    if (name != sip::HeaderName::www_authenticate && name != sip::HeaderName::proxy_authenticate) continue;
    const std::string_view value = response.header(row).value;
    const int preferred = preference(value);
    if (preferred <= best_preference) continue;
    best_preference = preferred;
    const auto stale = sip::Credentials::parse(value)->text("stale");
    best = Challenge{.text = std::string{value},
                     .answer = answer_of(name),
                     .is_stale = stale && sip::equal_ignoring_case(*stale, "true")};
  }
  return best;
}

// 0: not to be answered.
int WicAuthenticator::preference(std::string_view value) const {
  const auto challenge = sip::Credentials::parse(value);
  if (!challenge || !sip::answer_challenge(*challenge, {})) return 0;
  const sip::DigestAlgorithm algorithm = algorithm_of(*challenge);
  if (algorithm.aka_version != 0) return 0;
  return algorithm.hash == sip::DigestHash::sha256 ? 2 : 1;
}

std::expected<void, LoginRefusal> WicAuthenticator::refuse_token(const sip::Message& response) {
  for (std::size_t row = 0; row < response.header_count(); ++row) {
    if (response.header_name(row) != sip::HeaderName::www_authenticate) continue;
    const auto challenge = sip::Credentials::parse(response.header(row).value);
    if (challenge && challenge->is_bearer()) token_error_ = challenge->text("error").value_or("");
  }
  return std::unexpected(LoginRefusal::token_refused);
}

}  // namespace turnpike::client
