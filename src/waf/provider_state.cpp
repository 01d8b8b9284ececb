#include "waf/provider_state.hpp"

#include <algorithm>

namespace turnpike::waf {
namespace {

constexpr std::size_t nonce_size = 12, time_size = 8;

Digest state_key(const Settings& settings) { return sign(settings, "provider state", ""); }

std::string context_of(std::string_view provider, std::string_view browser) {
  return std::string{provider} + ' ' + std::string{browser};
}

// Known to nobody but us, the verifier not even to the provider before the code is redeemed (RFC 7636).
ProviderLogin make_login(const Visit& visit, std::string_view provider, std::string_view query,
                         WallTime began_at, std::string state) {
  ProviderLogin login{.provider = std::string{provider}, .query = std::string{query}, .began_at = began_at};
  login.nonce = to_base64url(sign(visit.settings, "provider nonce", state));
  login.verifier = to_base64url(sign(visit.settings, "provider verifier", state));
  login.state = std::move(state);
  return login;
}

}  // namespace

ProviderLogin begin_provider_login(Visit& visit, std::string_view provider, std::string_view browser,
                                   std::string_view query) {
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, unix_seconds(visit.now)));
  ByteVector text(time_size);
  store_big(text.data(), seconds);
  const Bytes query_bytes = as_bytes(query);
  text.insert(text.end(), query_bytes.begin(), query_bytes.end());
  const auto nonce = visit.random.draw<nonce_size>();
  const std::string context = context_of(provider, browser);
  const ByteVector sealed = crypto::aes_gcm_seal(state_key(visit.settings), nonce, as_bytes(context), text);
  ByteVector state(nonce.begin(), nonce.end());
  state.insert(state.end(), sealed.begin(), sealed.end());
  return make_login(visit, provider, query, from_unix_seconds(seconds), to_base64url(state));
}

std::optional<ProviderLogin> find_provider_login(const Visit& visit, std::string_view provider,
                                                 std::string_view browser, std::string_view state) {
  const auto bytes = from_base64url(state);
  if (!bytes || bytes->size() < nonce_size) return std::nullopt;
  const Bytes all{*bytes};
  const std::string context = context_of(provider, browser);
  const auto text = crypto::aes_gcm_open(state_key(visit.settings), all.first(nonce_size), as_bytes(context),
                                         all.subspan(nonce_size));
  if (!text || text->size() < time_size) return std::nullopt;
  const WallTime began_at = from_unix_seconds(load_big<std::uint64_t>(text->data()));
  if (began_at > visit.now || visit.now >= began_at + visit.settings.lifetimes.form) return std::nullopt;
  return make_login(visit, provider, as_text(Bytes{*text}.subspan(time_size)), began_at, std::string{state});
}

}  // namespace turnpike::waf
