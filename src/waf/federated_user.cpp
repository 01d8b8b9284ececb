#include "waf/federated_user.hpp"

#include <algorithm>

#include "jose/json.hpp"
#include "waf/claim_rules.hpp"

namespace turnpike::waf {
namespace {

constexpr std::size_t subject_bytes_max = 255;

bool is_subject(const std::string* text) {
  return text != nullptr && !text->empty() && text->size() <= subject_bytes_max &&
         std::ranges::all_of(*text, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

// Names of users have a size, too.
std::string make_name(const Settings& settings, const Provider& provider, const std::string& subject) {
  std::string name = provider.name + ':' + subject;
  if (name.size() > settings.limits.name_bytes_max)
    name = provider.name + ':' + to_base64url(Bytes{digest_of(subject)}.first(16));
  return name;
}

}  // namespace

std::string_view to_string(NotAdmitted reason) {
  switch (reason) {
    case NotAdmitted::no_subject:
      return "no usable sub";
    case NotAdmitted::no_rule:
      return "no rule matches";
    case NotAdmitted::taken:
      return "the identity is another user's";
    case NotAdmitted::full:
      return "too many users";
    case NotAdmitted::disabled:
      return "disabled";
    case NotAdmitted::changed:
      return "the identity is not that of the last login";
  }
  return "";
}

const Provider* find_provider(const Settings& settings, std::string_view name) {
  const auto found = std::ranges::find(settings.providers, name, &Provider::name);
  return found == settings.providers.end() ? nullptr : &*found;
}

const Provider* find_provider_by_issuer(const Settings& settings, std::string_view issuer) {
  const auto found = std::ranges::find(settings.providers, issuer, &Provider::issuer);
  return found == settings.providers.end() ? nullptr : &*found;
}

// OpenID Connect Core section 2: the two together are never given to somebody else.
std::string make_federated_id(std::string_view issuer, std::string_view subject) {
  const Digest digest = digest_of("federated " + std::string{issuer} + ' ' + std::string{subject});
  return to_base64url(Bytes{digest}.first(16));
}

std::expected<User, NotAdmitted> admit_federated_user(Visit& visit, const Provider& provider,
                                                      const nlohmann::json& claims, Occasion occasion) {
  const std::string* subject = jose::find_text(claims, "sub");
  if (!is_subject(subject)) return std::unexpected(NotAdmitted::no_subject);
  const std::string id = make_federated_id(provider.issuer, *subject);
  const auto refuse = [&](NotAdmitted reason) {
    visit.audit_refusal("federation_refused", "", id, provider.name + ": " + std::string{to_string(reason)});
    return std::unexpected(reason);
  };
  const auto known = visit.ledger.find_user(id);
  if (known && !known->is_enabled) return refuse(NotAdmitted::disabled);
  auto identity = map_claims(provider, claims);
  if (!identity) {
    if (known && occasion == Occasion::login) visit.revoke(visit.ledger.revoke_user(id, visit.now));
    return refuse(NotAdmitted::no_rule);
  }
  if (known && occasion == Occasion::exchange) {
    if (known->identity != *identity) return refuse(NotAdmitted::changed);
    return *known;
  }
  User user{
      .id = id, .name = make_name(visit.settings, provider, *subject), .identity = std::move(*identity)};
  if (known && *known == user) return user;
  const Admission admission = visit.ledger.admit_user(user, visit.settings.limits.users_max);
  if (admission != Admission::admitted)
    return refuse(admission == Admission::full ? NotAdmitted::full : NotAdmitted::taken);
  if (known && known->identity != user.identity) visit.revoke(visit.ledger.revoke_user(id, visit.now));
  visit.audit(known ? "federated_user_changed" : "federated_user_added", "", id, provider.name);
  return user;
}

}  // namespace turnpike::waf
