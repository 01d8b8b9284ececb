#include "epcscf/routes.hpp"

#include <algorithm>

#include "epcscf/edges.hpp"
#include "epcscf/identities.hpp"
#include "sip/headers.hpp"

namespace turnpike::epcscf {
namespace {

using sip::HeaderName;

std::optional<std::string> find_own(const Registration& registration, const sip::Uri& uri) {
  const auto found = std::ranges::find(registration.impus, canonical_identity(uri));
  if (found == registration.impus.end()) return std::nullopt;
  return registration.impu_uris[static_cast<std::size_t>(found - registration.impus.begin())];
}

std::optional<std::string> find_called_party(const sip::Message& request, const Registration& registration) {
  const auto header = request.find("P-Called-Party-ID");
  const auto called = header ? sip::NameAddr::parse(header->value) : std::nullopt;
  return called ? find_own(registration, called->uri) : std::nullopt;
}

std::optional<std::string> find_in_to(const sip::Message& request, const Registration& registration) {
  const auto to = sip::to(request);
  return to ? find_own(registration, to->uri) : std::nullopt;
}

}  // namespace

std::optional<sip::Hop> next_hop_behind_first_route(const sip::Message& request) {
  sip::NameAddrCursor routes{request, HeaderName::route};
  if (!routes.next()) return std::nullopt;
  if (const auto second = routes.next()) return *second ? sip::hop_of((*second)->uri) : std::nullopt;
  const auto target = sip::request_uri(request);
  return target ? sip::hop_of(*target) : std::nullopt;
}

std::string find_asserted_identity(const sip::Message& request, const Registration& registration) {
  sip::NameAddrCursor preferred{request, HeaderName::p_preferred_identity};
  while (const auto each = preferred.next())
    if (*each)
      if (auto own = find_own(registration, (*each)->uri)) return *std::move(own);
  return registration.impu_uris.front();
}

bool names_called_party(const sip::Message& request, const Registration& registration) {
  return find_called_party(request, registration).has_value();
}

bool is_for_contact(const sip::Message& request, const Registration& registration) {
  const auto target = sip::request_uri(request);
  const auto contact = sip::Uri::parse(registration.contact);
  return target && contact && target->is_equivalent_to(*contact);
}

bool names_in_to(const sip::Message& request, const Registration& registration) {
  return find_in_to(request, registration).has_value();
}

std::string find_called_identity(const sip::Message& request, const Registration& registration) {
  if (auto own = find_called_party(request, registration)) return *std::move(own);
  if (auto own = find_in_to(request, registration)) return *std::move(own);
  return registration.impu_uris.front();
}

bool strip_credentials(sip::Editor& edited, const sip::Message& request, sip::HeaderName name) {
  bool is_unclean = false;
  bool is_forged = false;
  for (auto row = request.find_row(name); row; row = request.find_row(name, *row + 1)) {
    const auto found = sip::Credentials::parse(request.header(*row).value, request.limits());
    is_forged = is_forged || (found && (has_trust_params(*found) || smuggles_trust_params(*found)));
    is_unclean = is_unclean || is_forged || !found || found->is_bearer();
  }
  if (!is_unclean) return is_forged;
  edited.remove(name);
  for (auto row = request.find_row(name); row; row = request.find_row(name, *row + 1)) {
    const auto found = sip::Credentials::parse(request.header(*row).value, request.limits());
    if (!found || found->is_bearer()) continue;  // a token is for this node alone
    if (smuggles_trust_params(*found)) continue;
    if (const std::string kept = without_trust_params(*found); !kept.empty()) edited.append(name, kept);
  }
  return is_forged;
}

}  // namespace turnpike::epcscf
