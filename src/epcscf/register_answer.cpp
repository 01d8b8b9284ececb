#include "epcscf/register_answer.hpp"

#include <algorithm>
#include <optional>

#include "epcscf/bindings.hpp"
#include "epcscf/edges.hpp"
#include "epcscf/identities.hpp"
#include "provisioning/body.hpp"
#include "provisioning/turn_credentials.hpp"
#include "sip/editor.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::epcscf {
namespace {

using sip::HeaderName;

Likeness likeness_of(const sip::NameAddr& contact, const RegisterRequest& request) {
  const auto text = [&](const char* name) {
    const auto param = contact.params.find(name);
    return param ? std::optional{param->text()} : std::nullopt;
  };
  return compare_binding({contact.uri_text, text("+sip.instance"), text("reg-id")},
                         {request.contact, request.key.instance, request.key.reg_id});
}

// The contact of the request among all those that the core lists.
std::optional<sip::NameAddr> find_contact(const RegisterRequest& request, const sip::Message& response) {
  std::optional<sip::NameAddr> of_uri;
  sip::NameAddrCursor contacts{response, HeaderName::contact};
  while (const auto contact = contacts.next()) {
    if (!*contact) continue;
    const Likeness likeness = likeness_of(**contact, request);
    if (likeness == Likeness::flow) return **contact;
    if (likeness == Likeness::uri && !of_uri) of_uri = **contact;
  }
  return of_uri;
}

std::optional<std::chrono::seconds> token_left(const RegisterRequest& request, Now now) {
  if (!request.identity) return std::nullopt;
  const auto left = std::chrono::floor<std::chrono::seconds>(request.identity->expires_at - now.wall);
  return std::max(left, std::chrono::seconds{0});
}

void add_credentials(sip::Editor& edited, const RegisterRequest& request, const sip::Message& response,
                     const provisioning::Provision& provision) {
  // A body of the core stays the core's: then the header has to do.
  const auto body = response.body();
  const bool has_room = !body || body->empty();
  if (request.wants_header || !has_room)
    for (const std::string& value : provisioning::format_answer(provision))
      edited.append(HeaderName::turn_credentials, value);
  if (request.wants_body && has_room)
    edited.set_body(provisioning::turn_credentials_media_type, provisioning::format_body(provision));
}

}  // namespace

std::chrono::seconds find_granted(const RegisterRequest& request, const sip::Message& response, Now now,
                                  const Settings& settings) {
  const auto contact = find_contact(request, response);
  std::chrono::seconds granted{0};
  if (contact)
    granted = std::chrono::seconds{sip::contact_expires(response, *contact, 0)};
  else if (!response.has(HeaderName::contact))  // a core that does not repeat it
    granted = std::chrono::seconds{sip::expires(response).value_or(0)};
  granted = std::min(granted, settings.limits.registration_max);
  if (const auto left = token_left(request, now)) granted = std::min(granted, *left);
  return granted;
}

std::vector<std::string> read_identities_of(const sip::Message& response, const RegisterRequest& request,
                                            const Limits& limits) {
  std::vector<std::string> uris;
  sip::NameAddrCursor identities{response, HeaderName::p_associated_uri};
  while (const auto identity = identities.next()) {
    if (uris.size() >= limits.identities_per_registration_max) break;
    if (*identity) uris.emplace_back((*identity)->uri_text);
  }
  if (uris.empty()) uris.push_back(request.key.aor);
  return uris;
}

void learn_routes(Registration& registration, const sip::Message& response, const Limits& limits) {
  registration.service_routes.clear();
  sip::NameAddrCursor routes{response, HeaderName::service_route};
  while (const auto route = routes.next()) {
    if (registration.service_routes.size() >= limits.service_routes_max) break;
    if (*route) registration.service_routes.emplace_back((*route)->text);
  }
}

std::string make_register_answer(const RegisterRequest& request, const sip::Message& response,
                                 const CredentialDesk::Outcome* outcome, Now now, const Settings& settings) {
  sip::Editor edited{response};
  edited.pop_via();
  strip_from_core(edited, response);
  if (response.status_code() < 300) {
    const auto left = token_left(request, now);
    const auto contact = left ? find_contact(request, response) : std::nullopt;
    if (contact && sip::contact_expires(response, *contact, 0) > left->count())
      edited.set_param(contact->params, "expires", std::to_string(left->count()));
    // RFC 5626 section 5.4: how often the connection wants a sign of life.
    if (settings.flow_timer.count() > 0 && sip::has_token(response, HeaderName::require, "outbound"))
      edited.append(HeaderName::flow_timer, std::to_string(settings.flow_timer.count()));
  }
  if (outcome != nullptr && *outcome) add_credentials(edited, request, response, (*outcome)->provision);
  if (outcome != nullptr && !*outcome)
    edited.append(HeaderName::warning, "399 " + settings.own_host + " \"No TURN credentials: " +
                                           std::string{to_string(outcome->error())} + '"');
  return edited.text();
}

}  // namespace turnpike::epcscf
