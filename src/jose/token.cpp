#include "jose/token.hpp"

#include "base/bytes.hpp"
#include "jose/json.hpp"

namespace turnpike::jose {
namespace {

using nlohmann::json;

constexpr std::size_t es256_signature_bytes = 64;  // RFC 7518 section 3.4
constexpr std::size_t kid_bytes_max = 256;

struct Parts {
  std::string_view header, payload, signature;
};

std::optional<Parts> split(std::string_view compact) {
  const auto first = compact.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = compact.find('.', first + 1);
  if (second == std::string_view::npos || compact.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  return Parts{compact.substr(0, first), compact.substr(first + 1, second - first - 1),
               compact.substr(second + 1)};
}

std::optional<json> decode_object(std::string_view base64url, const JsonLimits& limits) {
  const auto bytes = from_base64url(base64url);
  if (!bytes) return std::nullopt;
  auto object = parse_json(as_text(*bytes), limits);
  if (!object || !object->is_object()) return std::nullopt;
  return object;
}

// RFC 7515 section 4.1.9: "application/" may be left out of typ, and media types do not differ by case.
std::string read_type(const std::string& text) {
  constexpr std::string_view prefix = "application/";
  std::string type = text;
  for (char& character : type)
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
  return type.starts_with(prefix) ? type.substr(prefix.size()) : type;
}

std::optional<Refusal> read_header(const json& header, UnverifiedToken& token) {
  if (header.contains("crit")) return Refusal::critical_header;
  const std::string* name = find_text(header, "alg");
  if (name == nullptr) return Refusal::malformed;
  const auto algorithm = parse_algorithm(*name);
  if (!algorithm) return Refusal::algorithm;
  token.algorithm = *algorithm;
  if (header.contains("kid")) {
    const std::string* kid = find_text(header, "kid");
    if (kid == nullptr || kid->size() > kid_bytes_max) return Refusal::malformed;
    token.kid = *kid;
  }
  token.type = "jwt";
  if (header.contains("typ")) {
    const std::string* type = find_text(header, "typ");
    if (type == nullptr) return Refusal::malformed;
    token.type = read_type(*type);
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::malformed:
      return "malformed";
    case Refusal::algorithm:
      return "algorithm";
    case Refusal::critical_header:
      return "critical_header";
    case Refusal::unknown_key:
      return "unknown_key";
    case Refusal::signature:
      return "signature";
    case Refusal::type:
      return "type";
    case Refusal::issuer:
      return "issuer";
    case Refusal::audience:
      return "audience";
    case Refusal::nonce:
      return "nonce";
    case Refusal::missing_claim:
      return "missing_claim";
    case Refusal::expired:
      return "expired";
    case Refusal::not_yet_valid:
      return "not_yet_valid";
    case Refusal::bound:
      return "bound";
  }
  return "";
}

std::string_view UnverifiedToken::claimed_issuer() const {
  const std::string* issuer = find_text(payload, "iss");
  return issuer == nullptr ? std::string_view{} : *issuer;
}

std::expected<UnverifiedToken, Refusal> read_token(std::string_view compact, const Limits& limits) {
  if (compact.size() > limits.token_bytes_max) return std::unexpected(Refusal::malformed);
  const auto parts = split(compact);
  if (!parts) return std::unexpected(Refusal::malformed);
  auto header = decode_object(parts->header, {.bytes_max = limits.header_bytes_max,
                                              .depth_max = limits.json_depth_max,
                                              .values_max = limits.json_values_max});
  if (!header) return std::unexpected(Refusal::malformed);
  UnverifiedToken token{.compact = std::string{compact}, .header = {}, .payload = {}};
  if (const auto refusal = read_header(*header, token)) return std::unexpected(*refusal);
  auto payload = decode_object(parts->payload, {.bytes_max = limits.token_bytes_max,
                                                .depth_max = limits.json_depth_max,
                                                .values_max = limits.json_values_max});
  const auto signature = from_base64url(parts->signature);
  if (!payload || !signature || signature->empty()) return std::unexpected(Refusal::malformed);
  if (token.algorithm == Algorithm::es256 && signature->size() != es256_signature_bytes)
    return std::unexpected(Refusal::signature);
  token.header = std::move(*header);
  token.payload = std::move(*payload);
  return token;
}

std::expected<VerifiedToken, Refusal> verify(UnverifiedToken token, const KeySet& keys,
                                             AlgorithmSet allowed) {
  // RFC 8725 section 3.1: the verifier says which algorithms it takes, whatever the token says.
  if (!allowed.contains(token.algorithm)) return std::unexpected(Refusal::algorithm);
  switch (keys.verify(token.compact, token.algorithm, token.kid)) {
    case KeySet::Verdict::good:
      return VerifiedToken{std::move(token.type), std::move(token.payload)};
    case KeySet::Verdict::forged:
      return std::unexpected(Refusal::signature);
    case KeySet::Verdict::unknown_key:
      break;
  }
  return std::unexpected(Refusal::unknown_key);
}

}  // namespace turnpike::jose
