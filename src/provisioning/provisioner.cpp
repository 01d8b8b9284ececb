#include "provisioning/provisioner.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "credentials/issue.hpp"
#include "provisioning/turn_uri.hpp"

namespace turnpike::provisioning {
namespace {

// What all entries of one answer share.
struct Order {
  const Settings& settings;
  std::vector<std::string> uris;
  std::string subject;
  std::chrono::seconds ttl;
  std::optional<WallTime> last_end;
  WallTime wall;
  Random& random;
};

// Who registers again and again within a minute gets a second more each time.
WallTime find_computed_end(const Order& order) {
  constexpr std::chrono::seconds crowd{60};
  const WallTime end = order.wall + order.ttl;
  if (!order.last_end || unix_seconds(end) > unix_seconds(*order.last_end) || end + crowd < *order.last_end)
    return end;
  return *order.last_end + std::chrono::seconds{1};
}

Entry make_password_entry(const Order& order, credentials::IssuedPassword issued) {
  return {.form = Form::password,
          .uris = order.uris,
          .realm = order.settings.realm,
          .username = std::move(issued.username),
          .password = std::move(issued.password),
          .ttl = order.ttl,
          .expires_at = issued.expires_at};
}

bool add_computed(const Order& order, Provision& to) {
  if (!order.settings.computed || order.settings.computed->secrets.empty()) return false;
  to.entries.push_back(make_password_entry(
      order, credentials::issue_computed(*order.settings.computed, order.subject, find_computed_end(order))));
  return true;
}

bool add_pushed(const Order& order, Provision& to) {
  auto issued = credentials::issue_pushed(order.settings.realm, order.subject, order.wall + order.ttl,
                                          order.settings.policy, order.random);
  to.entries.push_back(make_password_entry(order, std::move(issued.shown)));
  to.push = std::move(issued.stored);
  return true;
}

bool add_browser_token(const Order& order, Provision& to) {
  if (!order.settings.token || !order.settings.token->browser_form) return false;
  auto issued = credentials::issue_browser_token(
      *order.settings.token, {order.subject, order.settings.policy}, order.wall, order.ttl, order.random);
  if (!issued) return false;
  to.entries.push_back(make_password_entry(order, std::move(*issued)));
  return true;
}

bool add_password(const Order& order, credentials::Source source, Provision& to) {
  to.source = source;
  switch (source) {
    case credentials::Source::static_user:
      return false;
    case credentials::Source::computed:
      return add_computed(order, to);
    case credentials::Source::pushed:
      return add_pushed(order, to);
    case credentials::Source::token:
      return add_browser_token(order, to);
  }
  return false;
}

// Only with a kid of its own: a token that all registrations share a kid with could not be revoked by
// subject.
void add_oauth(const Order& order, std::chrono::seconds ttl, Provision& to) {
  if (!order.settings.token) return;
  auto issued = credentials::issue_token(*order.settings.token, order.subject, order.wall, ttl, order.random);
  if (!issued) return;
  to.entries.push_back({.form = Form::oauth,
                        .uris = order.uris,
                        .realm = order.settings.realm,
                        .username = std::move(issued->kid),
                        .password = Secret::from_text(to_base64(issued->mac_key.reveal())),
                        .access_token = std::move(issued->access_token),
                        .algorithm = "HMAC-SHA-1",
                        .server_name = order.settings.token->server_name,
                        .ttl = ttl,
                        .expires_at = issued->expires_at});
}

std::expected<std::vector<std::string>, ProvisionFailure> choose_uris(
    const std::vector<std::string>& uris, const std::optional<std::string>& transport) {
  if (uris.empty()) return std::unexpected(ProvisionFailure::no_relay);
  if (!transport) return uris;
  const auto wanted = find_transport(*transport);
  std::vector<std::string> chosen;
  for (const std::string& text : uris) {
    const auto uri = TurnUri::parse(text);
    if (wanted && uri && uri->transport == *wanted) chosen.push_back(text);
  }
  if (chosen.empty()) return std::unexpected(ProvisionFailure::unknown_transport);
  return chosen;
}

}  // namespace

std::string_view to_string(ProvisionFailure failure) {
  constexpr std::array<std::string_view, 4> names{"unknown_realm", "unknown_transport", "no_relay",
                                                  "no_source"};
  return names.at(static_cast<std::size_t>(failure));
}

WallTime find_last_end(const Provision& provision) {
  WallTime last = WallTime::min();
  for (const Entry& entry : provision.entries) last = std::max(last, entry.expires_at);
  // A computed name is good for the whole of the second that it names.
  constexpr std::chrono::seconds tolerance = credentials::token_clock_skew + std::chrono::seconds{1};
  return last > WallTime::max() - tolerance ? last : last + tolerance;
}

std::expected<Provision, ProvisionFailure> Provisioner::provision(const Request& request,
                                                                  const Subject& subject,
                                                                  std::chrono::seconds registration_lifetime,
                                                                  std::optional<credentials::Source> only,
                                                                  WallTime wall, Random& random) const {
  if (request.realm && *request.realm != settings_.realm)
    return std::unexpected(ProvisionFailure::unknown_realm);
  auto uris = choose_uris(settings_.uris, request.transport);
  if (!uris) return std::unexpected(uris.error());
  const auto ttl = find_ttl(registration_lifetime, request.ttl, settings_.life);
  const Order order{settings_, std::move(*uris), make_subject(subject), ttl, subject.last_end, wall, random};

  Provision provision;
  const auto can = [&](credentials::Source source) {
    const bool is_wanted = (!only || *only == source) && (!request.source || *request.source == source);
    return is_wanted && add_password(order, source, provision);
  };
  if (std::ranges::none_of(settings_.sources, can)) return std::unexpected(ProvisionFailure::no_source);
  // A token bounds the allocation itself (RFC 7635 section 9), so it has no grace beyond the registration.
  const auto life = std::min(ttl, std::max(registration_lifetime, std::chrono::seconds{1}));
  if (request.form == Form::oauth) add_oauth(order, life, provision);
  provision.refresh_after = find_refresh(life);
  return provision;
}

std::optional<credentials::Source> Provisioner::find_fallback(credentials::Source source) const {
  const auto found = std::ranges::find(settings_.sources, source);
  if (found == settings_.sources.end() || found + 1 == settings_.sources.end()) return std::nullopt;
  return *(found + 1);
}

std::string Provisioner::make_subject(const Subject& subject) const {
  return credentials::make_opaque_id(settings_.opaque_id_key, subject.user_id, subject.salt);
}

}  // namespace turnpike::provisioning
