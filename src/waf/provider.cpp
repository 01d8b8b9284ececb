#include "waf/provider.hpp"

#include <algorithm>
#include <array>

#include "base/http_url.hpp"
#include "jose/json.hpp"

namespace turnpike::waf {

bool is_reachable_uri(std::string_view uri) {
  const bool is_plain =
      std::ranges::all_of(uri, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  const auto url = HttpUrl::parse(uri);
  if (!is_plain || !url || uri.contains('#')) return false;
  return uri.starts_with("https://") || (uri.starts_with("http://") && url->is_loopback());
}

std::expected<ProviderMetadata, std::string> read_provider_metadata(std::string_view json,
                                                                    std::string_view issuer,
                                                                    const jose::Limits& limits) {
  const auto document = jose::parse_json(json, {.bytes_max = limits.key_set_bytes_max,
                                                .depth_max = limits.json_depth_max,
                                                .values_max = limits.key_set_values_max});
  if (!document || !document->is_object()) return std::unexpected("the metadata are no JSON object");
  // OpenID Connect Discovery section 4.3: to the letter, or somebody else has answered.
  const std::string* named = jose::find_text(*document, "issuer");
  if (named == nullptr || *named != issuer) return std::unexpected("the metadata are of another issuer");
  // Who answers over https does not send us, or a user, anywhere without; nor to this machine.
  const bool is_secure = issuer.starts_with("https:");
  const auto is_fit = [&](const std::string* uri) {
    return uri != nullptr && is_reachable_uri(*uri) && (!is_secure || uri->starts_with("https:"));
  };
  ProviderMetadata metadata;
  const std::array needed{std::pair{"authorization_endpoint", &metadata.authorization_endpoint},
                          std::pair{"token_endpoint", &metadata.token_endpoint},
                          std::pair{"jwks_uri", &metadata.jwks_uri}};
  for (const auto& [name, to] : needed) {
    const std::string* uri = jose::find_text(*document, name);
    if (!is_fit(uri)) return std::unexpected("the metadata have no " + std::string{name} + " with https");
    *to = *uri;
  }
  const std::string* userinfo = jose::find_text(*document, "userinfo_endpoint");
  if (is_fit(userinfo)) metadata.userinfo_endpoint = *userinfo;
  const auto names_issuer = document->find("authorization_response_iss_parameter_supported");
  metadata.names_issuer = names_issuer != document->end() && *names_issuer == true;
  return metadata;
}

}  // namespace turnpike::waf
