#include "program/issue.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/crypto.hpp"
#include "credentials/issue.hpp"
#include "provisioning/body.hpp"
#include "provisioning/credential_life.hpp"

namespace turnpike::program {
namespace {

using Result = std::expected<Issued, std::string>;

constexpr int indent = 2;

// Shown on the wire, by computed usernames and by kids: the same for a day, so that quotas hold, and then
// another one, so that nobody is followed.
std::string visible_id(const Secret& key, std::string_view user, WallTime wall) {
  const auto day = std::chrono::floor<std::chrono::days>(wall).time_since_epoch().count();
  return credentials::make_opaque_id(key, user, fmt::format("day {}", day));
}

// Known to issuer and relay alone.
std::string hidden_id(const Secret& key, std::string_view user) {
  return credentials::make_opaque_id(key, user, "user");
}

// Without any key, the id is a new one each time.
Secret opaque_id_key(const Config& config, Random& random) {
  if (auto key = find_opaque_id_key(config)) return std::move(*key);
  return Secret{random.draw<32>()};
}

provisioning::Entry make_entry(const Config& config, const credentials::IssuedPassword& issued,
                               std::chrono::seconds ttl) {
  return {.uris = config.uris,
          .realm = config.credentials.realm,
          .username = issued.username,
          .password = issued.password,
          .ttl = ttl,
          .expires_at = issued.expires_at};
}

std::string format_password(const Config& config, const credentials::IssuedPassword& issued,
                            std::chrono::seconds ttl) {
  return provisioning::format_body(
      {.entries = {make_entry(config, issued, ttl)}, .refresh_after = provisioning::find_refresh(ttl)},
      indent);
}

std::string format_token(const Config& config, credentials::IssuedToken issued, std::chrono::seconds ttl) {
  const provisioning::Entry entry{.form = provisioning::Form::oauth,
                                  .uris = config.uris,
                                  .realm = config.credentials.realm,
                                  .username = std::move(issued.kid),
                                  .password = Secret::from_text(to_base64(issued.mac_key.reveal())),
                                  .access_token = std::move(issued.access_token),
                                  .algorithm = "HMAC-SHA-1",
                                  .server_name = config.server_name,
                                  .ttl = ttl,
                                  .expires_at = issued.expires_at};
  return provisioning::format_token_answer(entry, indent);
}

Result issue_computed(const Config& config, const IssueRequest& request, WallTime wall, Random& random) {
  if (!config.credentials.computed)
    return std::unexpected("--source: found computed, but there is no [credentials.computed]");
  const std::string id = visible_id(opaque_id_key(config, random), request.user, wall);
  const auto issued = credentials::issue_computed(*config.credentials.computed, id, wall + request.ttl);
  return Issued{format_password(config, issued, request.ttl)};
}

Result issue_pushed(const Config& config, const IssueRequest& request, WallTime wall, Random& random) {
  if (!config.credentials.pushed)
    return std::unexpected("--source: found pushed, but there is no [credentials.pushed]");
  const std::string subject = hidden_id(opaque_id_key(config, random), request.user);
  auto issued = credentials::issue_pushed(config.credentials.realm, subject, wall + request.ttl,
                                          request.policy, random);
  const std::string json = format_password(config, issued.shown, request.ttl);
  return Issued{json, ToPush{issued.shown.username, std::move(issued.shown.password), subject,
                             issued.shown.expires_at, request.policy}};
}

std::string no_key_words(const IssueRequest& request) {
  return fmt::format("no key of [credentials.token] is valid now and for the next {} s", request.ttl.count());
}

Result issue_token(const Config& config, const IssueRequest& request, WallTime wall, Random& random) {
  if (!config.credentials.token)
    return std::unexpected("--source: found token, but there is no [credentials.token]");
  const credentials::TokenSettings& settings = *config.credentials.token;
  const Secret key = opaque_id_key(config, random);
  if (request.rfc7635) {
    auto issued =
        credentials::issue_token(settings, visible_id(key, request.user, wall), wall, request.ttl, random);
    // Keys that do not derive have one kid for all users.
    if (!issued) issued = credentials::issue_token(settings, {}, wall, request.ttl, random);
    if (!issued) return std::unexpected(no_key_words(request));
    return Issued{format_token(config, std::move(*issued), request.ttl)};
  }
  const credentials::TokenPolicy policy{hidden_id(key, request.user), request.policy};
  const auto issued = credentials::issue_browser_token(settings, policy, wall, request.ttl, random);
  if (!issued) return std::unexpected(no_key_words(request));
  return Issued{format_password(config, *issued, request.ttl)};
}

}  // namespace

// One key for all opaque ids, so that quotas and revocation see one user behind all sources.
std::optional<Secret> find_opaque_id_key(const Config& config) {
  if (!config.opaque_id_key.empty()) return config.opaque_id_key;
  const credentials::RegistrySettings& sources = config.credentials;
  const Secret* secret = nullptr;
  if (sources.token && !sources.token->keys.empty()) secret = &sources.token->keys.front().key;
  if (sources.computed) secret = &sources.computed->secrets.front().secret;
  if (secret == nullptr) return std::nullopt;
  return Secret{crypto::hmac_sha256(secret->reveal(), as_bytes("turnpike opaque id"))};
}

Result issue(const Config& config, const IssueRequest& request, WallTime wall, Random& random) {
  switch (request.source) {
    case credentials::Source::static_user:
      break;
    case credentials::Source::computed:
      return issue_computed(config, request, wall, random);
    case credentials::Source::pushed:
      return issue_pushed(config, request, wall, random);
    case credentials::Source::token:
      return issue_token(config, request, wall, random);
  }
  return std::unexpected(
      "--source: found static, allowed: computed, pushed, token; static users stand in the configuration");
}

std::vector<std::string> subjects_of(const Config& config, std::string_view user, WallTime wall) {
  const auto key = find_opaque_id_key(config);
  if (!key) return {};
  const auto yesterday = wall - std::chrono::days{1};
  return {hidden_id(*key, user), visible_id(*key, user, wall), visible_id(*key, user, yesterday)};
}

}  // namespace turnpike::program
