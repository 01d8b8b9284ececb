#include "waf/dpop.hpp"

#include <algorithm>
#include <array>

#include "jose/claims.hpp"
#include "jose/json.hpp"
#include "jose/signing_key.hpp"
#include "jose/token.hpp"

namespace turnpike::waf {
namespace {

using nlohmann::json;

constexpr std::size_t mark_size = 16;

std::string make_nonce(const Settings& settings, std::uint64_t made_at) {
  std::array<Byte, 8 + mark_size> bytes;
  store_big(bytes.data(), made_at);
  const Digest mark = sign(settings, "dpop nonce", as_text({bytes.data(), 8}));
  std::copy_n(mark.begin(), mark_size, bytes.begin() + 8);
  return to_base64url(bytes);
}

bool is_nonce(const Settings& settings, std::string_view nonce, WallTime now) {
  const auto bytes = from_base64url(nonce);
  if (!bytes || bytes->size() != 8 + mark_size) return false;
  const auto made_at = load_big<std::uint64_t>(bytes->data());
  if (!crypto::equal_in_constant_time(as_bytes(make_nonce(settings, made_at)), as_bytes(nonce))) return false;
  const WallTime at = from_unix_seconds(made_at);
  return at <= now + settings.lifetimes.clock_skew && now < at + settings.lifetimes.dpop_nonce;
}

// RFC 9449 section 4.3: without query and fragment; the port and the case of the host as RFC 3986 section 6.2
// has them.
std::string normalize(std::string_view uri) {
  uri = uri.substr(0, uri.find_first_of("?#"));
  const auto scheme = uri.find("://");
  if (scheme == std::string_view::npos) return std::string{uri};
  const auto slash = std::min(uri.find('/', scheme + 3), uri.size());
  std::string origin{uri.substr(0, slash)};
  std::ranges::transform(origin, origin.begin(), [](char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
  });
  const std::string_view port = origin.starts_with("https:") ? ":443" : ":80";
  if (origin.ends_with(port)) origin.erase(origin.size() - port.size());
  return origin + (slash == uri.size() ? "/" : std::string{uri.substr(slash)});
}

std::unexpected<Refusal> refuse(std::string_view why) {
  return std::unexpected(Refusal{Error::invalid_dpop_proof, "the DPoP proof: " + std::string{why}});
}

// The key that is shown, and that it has signed.
std::expected<json, Refusal> verify_proof(jose::UnverifiedToken token, const jose::Limits& limits,
                                          std::string& jkt) {
  if (token.type != "dpop+jwt") return refuse("its typ is not dpop+jwt");
  const auto shown = token.header.find("jwk");
  if (shown == token.header.end() || !shown->is_object()) return refuse("there is no jwk in its header");
  json jwk = *shown;
  jwk.erase("kid");
  token.kid.reset();
  const std::string text = jwk.dump(-1, ' ', false, json::error_handler_t::replace);
  const auto keys = jose::KeySet::parse(R"({"keys":[)" + text + "]}", limits);
  const auto thumbprint = jose::find_thumbprint(text);
  if (!keys || !thumbprint) return refuse("its jwk is no public key that is taken here");
  auto verified = jose::verify(std::move(token), *keys, jose::public_key_algorithms);
  if (!verified) return refuse(jose::to_string(verified.error()));
  jkt = *thumbprint;
  return std::move(verified->payload);
}

std::optional<Refusal> check_claims(const Visit& visit, const json& payload, std::string_view path) {
  const auto text = [&](const char* name) {
    const std::string* found = jose::find_text(payload, name);
    return found == nullptr ? std::string_view{} : std::string_view{*found};
  };
  const auto refused = [](std::string_view why) { return refuse(why).error(); };
  if (text("htm") != visit.request.method) return refused("its htm is not the method of the request");
  if (normalize(text("htu")) != normalize(visit.settings.issuer + std::string{path}))
    return refused("its htu is not this endpoint");
  const auto made_at = payload.find("iat");
  if (made_at == payload.end() || !made_at->is_number()) return refused("it has no iat");
  const double age = static_cast<double>(unix_seconds(visit.now)) - made_at->get<double>();
  const auto age_max = static_cast<double>(visit.settings.lifetimes.dpop_proof.count());
  const std::string_view nonce = text("nonce");
  if (!nonce.empty() || visit.settings.dpop_requires_nonce) {
    if (!is_nonce(visit.settings, nonce, visit.now))
      return Refusal{Error::use_dpop_nonce, "a nonce of this server is needed in the DPoP proof"};
  } else if (!(age <= age_max && age >= -age_max)) {
    return refused("it is too old, or of the future");
  }
  return std::nullopt;
}

}  // namespace

std::string make_dpop_nonce(const Settings& settings, WallTime now) {
  return make_nonce(settings, static_cast<std::uint64_t>(std::max<std::int64_t>(0, unix_seconds(now))));
}

std::expected<DpopProof, Refusal> read_dpop(const Visit& visit, std::string_view path) {
  const std::size_t count = visit.request.count("dpop");
  if (count == 0) return DpopProof{};
  if (count > 1) return refuse("there is more than one");
  auto token = jose::read_token(*visit.request.find("dpop"), visit.settings.limits.jose);
  if (!token) return refuse(jose::to_string(token.error()));
  DpopProof proof;
  const auto payload = verify_proof(std::move(*token), visit.settings.limits.jose, proof.jkt);
  if (!payload) return std::unexpected(payload.error());
  if (auto refusal = check_claims(visit, *payload, path)) return std::unexpected(std::move(*refusal));
  const std::string* id = jose::find_text(*payload, "jti");
  if (id == nullptr || id->empty() || id->size() > 255) return refuse("it has no jti of 1 to 255 bytes");
  // By key, so that nobody can use up another's.
  proof.jti_key = "dpop " + proof.jkt + ' ' + *id;
  const Lifetimes& lifetimes = visit.settings.lifetimes;
  proof.ends_at = visit.now + lifetimes.clock_skew + std::max(2 * lifetimes.dpop_proof, lifetimes.dpop_nonce);
  return proof;
}

bool use(Visit& visit, const DpopProof& proof) {
  return proof.jkt.empty() || visit.ledger.use_once(proof.jti_key, proof.ends_at, visit.now);
}

}  // namespace turnpike::waf
