#include "waf/own_token.hpp"

#include "jose/claims.hpp"
#include "jose/json.hpp"
#include "jose/token.hpp"

namespace turnpike::waf {
namespace {

constexpr jose::AlgorithmSet our_algorithms{jose::Algorithm::es256, jose::Algorithm::rs256,
                                            jose::Algorithm::ps256};

std::optional<Issued> find_by_hash(const Visit& visit, const std::optional<ByteVector>& token) {
  if (!token || token->empty()) return std::nullopt;
  return visit.ledger.find_issued(to_hex(crypto::sha256(*token)), visit.now);
}

}  // namespace

std::optional<OwnToken> find_own_token(const Visit& visit, std::string_view text) {
  auto read = jose::read_token(text, visit.settings.limits.jose);
  if (!read) return std::nullopt;
  auto token = jose::verify(std::move(*read), visit.keys.verifiers(), our_algorithms);
  if (!token || token->type != "at+jwt") return std::nullopt;
  const std::string* issuer = jose::find_text(token->payload, "iss");
  const std::string* id = jose::find_text(token->payload, "jti");
  if (issuer == nullptr || *issuer != visit.settings.issuer || id == nullptr) return std::nullopt;
  auto issued = visit.ledger.find_issued(*id, visit.now);
  if (!issued || issued->kind != IssuedKind::registration || issued->id != *id) return std::nullopt;
  const auto user = visit.ledger.find_user(issued->subject);
  if (user && !user->is_enabled) return std::nullopt;
  return OwnToken{.issued = std::move(*issued), .claims = std::move(token->payload)};
}

std::optional<OwnToken> find_turn_token(const Visit& visit, std::string_view text) {
  if (text.size() > credentials::username_bytes_max + credentials::token_bytes_max * 2) return std::nullopt;
  auto issued = find_by_hash(visit, from_base64(text));
  if (!issued) issued = find_by_hash(visit, from_base64url(text.substr(text.rfind('.') + 1)));
  if (!issued || issued->kind != IssuedKind::turn) return std::nullopt;
  return OwnToken{.issued = std::move(*issued), .claims = {}};
}

}  // namespace turnpike::waf
