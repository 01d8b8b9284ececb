#include "client/wic_login.hpp"

#include <utility>

#include "ims/aka.hpp"
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
  if (const auto* digest = std::get_if<DigestLogin>(&login_)) return digest->username;
  const auto* aka = std::get_if<AkaLogin>(&login_);
  return aka != nullptr ? std::string_view{aka->username} : std::string_view{};
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
  const auto* digest = std::get_if<DigestLogin>(&login_);
  const Secret& password = digest != nullptr ? digest->password : challenge_->password;
  const sip::DigestAnswer answer{.username = username(),
                                 .password = password.reveal_text(),
                                 .method = method,
                                 .uri = uri,
                                 .cnonce = cnonce,
                                 .nonce_count = ++challenge_->nonce_count};
  std::string value = sip::answer_challenge(*challenge, answer).value_or(empty_digest(uri));
  if (!challenge_->auts.empty()) value += ", auts=" + sip::quoted_string(challenge_->auts);
  return {.name = challenge_->answer, .value = std::move(value)};
}

// TS 24.229 section 5.1.1.2: the first REGISTER names the IMPI, and nothing that it knows yet.
std::string WicAuthenticator::empty_digest(std::string_view uri) const {
  return "Digest username=" + sip::quoted_string(username()) + ", realm=" + sip::quoted_string(home_) +
         ", nonce=\"\", uri=" + sip::quoted_string(uri) + ", response=\"\"" +
         // TS 24.229 section 5.4.1.1: over TLS this is how a registrar tells AKA from SIP Digest.
         (std::holds_alternative<AkaLogin>(login_) ? ", algorithm=AKAv2-SHA-256" : "");
}

std::expected<void, LoginRefusal> WicAuthenticator::on_challenge(const sip::Message& response) {
  if (std::holds_alternative<BearerLogin>(login_)) return refuse_token(response);
  auto challenge = choose(response);
  if (!challenge) return std::unexpected(LoginRefusal::unknown_challenge);
  if (++challenges_ > challenges_max) return std::unexpected(LoginRefusal::too_many_challenges);
  if (auto* aka = std::get_if<AkaLogin>(&login_)) return on_aka(*aka, *std::move(challenge));
  return on_digest(*std::move(challenge));
}

std::expected<void, LoginRefusal> WicAuthenticator::on_aka(AkaLogin& login, Challenge challenge) {
  const auto parsed = sip::Credentials::parse(challenge.text);
  const auto answer = ims::answer_aka(login.card, parsed->text("nonce").value_or(""));
  if (!answer)
    return std::unexpected(answer.error() == ims::AkaFault::forged ? LoginRefusal::network_not_genuine
                                                                   : LoginRefusal::unknown_challenge);
  if (!answer->auts.empty()) {  // RFC 3310 section 3.4
    if (std::exchange(has_resynchronised_, true)) return std::unexpected(LoginRefusal::out_of_step);
    challenge.auts = answer->auts;
    challenge_ = std::move(challenge);
    return {};
  }
  login.card.sqn = answer->sqn;
  challenge.password = ims::make_aka_password(algorithm_of(*parsed), answer->milenage);
  return on_digest(std::move(challenge));
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
  if (std::holds_alternative<AkaLogin>(login_) != (algorithm.aka_version != 0)) return 0;
  if (algorithm.aka_version == 1) return 1;
  if (algorithm.aka_version == 2) return algorithm.hash == sip::DigestHash::sha256 ? 3 : 2;
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
