#include "sim/issuer.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace turnpike::sim {
namespace {

using credentials::PasswordAlgorithm;

Secret key_of_32_bytes(std::string_view text) {
  std::string bytes{text};
  bytes.resize(32, '.');
  return Secret::from_text(bytes);
}

std::vector<credentials::Key> long_term_keys(std::string_view username, std::string_view realm,
                                             std::string_view password) {
  return {credentials::make_long_term_key(PasswordAlgorithm::md5, username, realm, password),
          credentials::make_long_term_key(PasswordAlgorithm::sha256, username, realm, password)};
}

bool has_prefix_with_dot(std::string_view text, std::string_view prefix) {
  return text == prefix || (text.starts_with(prefix) && text[prefix.size()] == '.');
}

}  // namespace

std::string_view to_string(Form form) {
  switch (form) {
    case Form::static_user:
      return "static";
    case Form::computed:
      return "computed";
    case Form::pushed:
      return "pushed";
    case Form::token:
      return "token";
    case Form::browser_token:
      return "browser_token";
  }
  return {};
}

bool Credential::is_claimed_by(const stun::Message& request, std::string_view realm) const {
  const auto token = request.find(stun::AttributeType::access_token);
  if (token) return form == Form::token && equal(*token, access_token);
  // RFC 7635 section 4: the token itself is shown in Allocate and Refresh only.
  if (form == Form::token && request.method() == stun::Method::allocate) return false;
  if (const auto hash = request.userhash()) return *hash == credentials::make_userhash(username, realm);
  const auto name = request.find(stun::AttributeType::username);
  return name && as_text(*name) == username;
}

// Where both kinds of integrity are there, the stronger one counts (RFC 8489 section 9.2.4).
bool Credential::proves(const stun::Message& message) const {
  const bool has_sha256 = message.has(stun::AttributeType::message_integrity_sha256);
  return std::ranges::any_of(keys, [&](const credentials::Key& key) {
    return has_sha256 ? message.verify_integrity_sha256(key.reveal())
                      : message.verify_integrity(key.reveal());
  });
}

bool Credential::is_hit_by(const credentials::Revocation& revocation) const {
  using By = credentials::Revocation::By;
  switch (revocation.by) {
    case By::username:
      return username == revocation.value;
    case By::subject:
      return subject == revocation.value;
    case By::kid:
      return !kid.empty() && has_prefix_with_dot(kid, revocation.value);
    case By::token_hash:
      return !token_hash.empty() && token_hash == revocation.value;
  }
  return false;
}

credentials::RegistrySettings make_registry_settings() {
  credentials::RegistrySettings settings;
  settings.realm = "ims.example";
  settings.static_users.emplace();
  for (int i = 0; i < 10; ++i) {
    const std::string user = "user" + std::to_string(i);
    settings.static_users->users[user] = Secret::from_text(static_password(user));
  }
  settings.computed =
      credentials::ComputedSettings{.secrets = {{"s1", Secret::from_text("the first shared secret")},
                                                {"s2", Secret::from_text("the second shared one")}}};
  settings.pushed.emplace();
  settings.token = credentials::TokenSettings{.server_name = "turn.ims.example",
                                              .keys = {{.kid = "k1", .key = key_of_32_bytes("first")},
                                                       {.kid = "k2", .key = key_of_32_bytes("second")}}};
  return settings;
}

std::string static_password(std::string_view user) { return "password of " + std::string{user}; }

Credential Issuer::issue(Form form, std::string_view user, std::chrono::seconds lifetime,
                         const credentials::Policy& policy) {
  const WallTime expires_at = world_->moment().wall + lifetime;
  switch (form) {
    case Form::static_user:
      return issue_static(user);
    case Form::computed:
      return issue_computed(user, expires_at);
    case Form::pushed:
      return issue_pushed(user, expires_at, policy);
    case Form::token:
      return issue_token(user, lifetime);
    case Form::browser_token:
      return issue_browser_token(user, lifetime, policy);
  }
  return {};
}

Credential Issuer::issue_static(std::string_view user) const {
  const std::string password = static_password(user);
  return {.form = Form::static_user,
          .shown = turn::PasswordCredential{std::string{user}, Secret::from_text(password)},
          .username = std::string{user},
          .subject = std::string{user},
          .kid = {},
          .access_token = {},
          .token_hash = {},
          .keys = long_term_keys(user, relay_->registry().realm(), password)};
}

Credential Issuer::issue_computed(std::string_view user, WallTime expires_at) const {
  const auto& settings = relay_->settings().credentials.computed;
  check(settings.has_value(), "the relay has no computed source");
  Credential credential;
  credential.form = Form::computed;
  credential.subject = user;
  credential.kid = settings->secrets.front().id;
  remember_password(credential, credentials::issue_computed(*settings, user, expires_at));
  return credential;
}

Credential Issuer::issue_pushed(std::string_view user, WallTime expires_at,
                                const credentials::Policy& policy) {
  credentials::Registry& registry = relay_->registry();
  auto issued = credentials::issue_pushed(registry.realm(), user, expires_at, policy, random_);
  Credential credential;
  credential.form = Form::pushed;
  credential.subject = user;
  credential.allocations_max = policy.allocations_max;
  remember_password(credential, issued.shown);
  const auto outcome = registry.pushed().put(std::move(issued.stored), world_->moment().wall);
  check(outcome == credentials::PushOutcome::done, "the relay takes no pushed credential");
  return credential;
}

Credential Issuer::issue_token(std::string_view user, std::chrono::seconds lifetime) {
  const auto& settings = relay_->settings().credentials.token;
  check(settings.has_value(), "the relay has no token source");
  auto issued = credentials::issue_token(*settings, user, world_->moment().wall, lifetime, random_);
  check(issued.has_value(), "no key of the authorization server is valid");
  Credential credential;
  credential.form = Form::token;
  credential.username = issued->kid;
  credential.subject = user;
  credential.kid = issued->kid;
  credential.access_token = issued->access_token;
  credential.token_hash = to_hex(crypto::sha256(issued->access_token));
  credential.expires_at = issued->expires_at;
  credential.keys = {credentials::Key{issued->mac_key.reveal()}};
  credential.shown = turn::TokenCredential{issued->kid, issued->access_token, issued->mac_key};
  return credential;
}

Credential Issuer::issue_browser_token(std::string_view user, std::chrono::seconds lifetime,
                                       const credentials::Policy& policy) {
  const auto& settings = relay_->settings().credentials.token;
  check(settings.has_value(), "the relay has no token source");
  const auto issued = credentials::issue_browser_token(
      *settings, {.subject = std::string{user}, .policy = policy}, world_->moment().wall, lifetime, random_);
  check(issued.has_value(), "no key of the authorization server is valid");
  Credential credential;
  credential.form = Form::browser_token;
  credential.subject = user;
  credential.allocations_max = policy.allocations_max;
  remember_password(credential, *issued);
  const std::size_t dot = issued->username.rfind('.');
  credential.kid = issued->username.substr(0, dot);
  const auto token = from_base64url(std::string_view{issued->username}.substr(dot + 1));
  credential.token_hash = to_hex(crypto::sha256(*token));
  return credential;
}

void Issuer::remember_password(Credential& credential, const credentials::IssuedPassword& issued) const {
  credential.username = issued.username;
  credential.expires_at = issued.expires_at;
  credential.shown = turn::PasswordCredential{issued.username, issued.password};
  credential.keys =
      long_term_keys(issued.username, relay_->registry().realm(), issued.password.reveal_text());
}

}  // namespace turnpike::sim
