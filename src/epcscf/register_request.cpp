#include "epcscf/register_request.hpp"

#include <algorithm>
#include <utility>

#include "epcscf/edges.hpp"
#include "epcscf/identities.hpp"
#include "epcscf/routes.hpp"
#include "provisioning/body.hpp"
#include "provisioning/turn_credentials.hpp"
#include "sip/digest.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::epcscf {
namespace {

using sip::HeaderName;
using Problem = std::optional<RegisterProblem>;

constexpr std::uint32_t expires_default = 600'000;  // TS 24.229 section 5.1.1.2

// --- reading ----------------------------------------------------------------------------------------------

Problem read_identities(RegisterRequest& request, const sip::Message& message, const Settings& settings) {
  const auto target = sip::request_uri(message);
  if (!target || !target->is_sip() || !sip::equal_ignoring_case(target->host(), settings.home_domain))
    return RegisterProblem{403, "Not our home domain", RegistrationRefusal::wrong_domain};
  const auto to = sip::to(message);
  const auto from = sip::from(message);
  if (!to || !from) return RegisterProblem{};
  request.key.aor = canonical_identity(to->uri);
  request.key.impi = derive_impi(to->uri);
  request.from = canonical_identity(from->uri);
  request.is_third_party = request.from != request.key.aor;
  return std::nullopt;
}

// RFC 3261 section 10.2: one contact with its device (RFC 5626), "*" alone, or none.
Problem read_contacts(RegisterRequest& request, const sip::Message& message) {
  if (sip::has_wildcard_contact(message)) {
    request.kind = RegisterKind::removal_of_all;
    const auto seconds = sip::expires(message);
    if (!seconds || *seconds != 0) return RegisterProblem{400, "Contact * needs Expires 0"};
    return std::nullopt;
  }
  sip::NameAddrCursor contacts{message, HeaderName::contact};
  const auto first = contacts.next();
  if (!first) return std::nullopt;
  if (!*first || contacts.next()) return RegisterProblem{400, "One Contact, please"};
  const sip::NameAddr& contact = **first;
  request.contact = contact.uri_text;
  const auto instance = contact.params.find("+sip.instance");
  request.key.instance = instance ? instance->text() : request.contact;
  if (const auto reg_id = contact.params.find("reg-id")) request.key.reg_id = reg_id->text();
  const bool ends = sip::contact_expires(message, contact, expires_default) == 0;
  request.kind = ends ? RegisterKind::removal : RegisterKind::binding;
  return std::nullopt;
}

Problem read_bearer(RegisterRequest& request, const sip::Credentials& credentials, const Settings& settings) {
  const auto token = credentials.bearer_token();
  if (!token || token->size() > settings.limits.token_bytes_max)
    return RegisterProblem{401, "", RegistrationRefusal::token_malformed};
  request.proof = ProofKind::bearer;
  request.token = *token;
  return std::nullopt;
}

void read_digest(RegisterRequest& request, const sip::Credentials& credentials) {
  const auto algorithm = sip::parse_digest_algorithm(credentials.text("algorithm").value_or("MD5"));
  request.proof = algorithm && algorithm->aka_version != 0 ? ProofKind::aka : ProofKind::digest;
  request.has_response = !credentials.text("response").value_or("").empty();
  if (auto impi = credentials.text("username"); impi && !impi->empty()) request.key.impi = *std::move(impi);
}

// A second Digest is refused: the core might take its user for the one that we have read (TS 24.229
// section 5.1.1.2: one header field).
Problem read_authorization(RegisterRequest& request, const sip::Credentials& credentials,
                           const Settings& settings) {
  if (request.proof == ProofKind::bearer) return std::nullopt;
  if (credentials.is_bearer()) return read_bearer(request, credentials, settings);
  if (!credentials.is_digest()) return std::nullopt;
  if (request.proof != ProofKind::none) return RegisterProblem{400, "One Digest, please"};
  read_digest(request, credentials);
  return std::nullopt;
}

// What is malformed here could say to the core what it does not say to us: it is refused.
Problem read_row(RegisterRequest& request, HeaderName name, const sip::Header& row, const sip::Limits& limits,
                 const Settings& settings) {
  const auto found = sip::Credentials::parse(row.value, limits);
  if (!found) return RegisterProblem{400, "Malformed Authorization"};
  if (smuggles_trust_params(*found))
    return RegisterProblem{400, "Forged Authorization", RegistrationRefusal::malformed, true};
  request.is_forged = request.is_forged || has_trust_params(*found);
  return name == HeaderName::authorization ? read_authorization(request, *found, settings) : std::nullopt;
}

Problem read_proof(RegisterRequest& request, const sip::Message& message, const Settings& settings) {
  for (const HeaderName name : {HeaderName::authorization, HeaderName::proxy_authorization})
    for (auto row = message.find_row(name); row; row = message.find_row(name, *row + 1))
      if (const auto problem = read_row(request, name, message.header(*row), message.limits(), settings))
        return problem;
  if (request.proof == ProofKind::bearer) request.has_response = false;
  return std::nullopt;
}

void read_wish(RegisterRequest& request, const sip::Message& message) {
  if (const auto wish = provisioning::find_request(message)) {
    request.wants_header = true;
    request.is_wish_malformed = !wish->has_value();
    if (*wish) request.wish = **wish;
  }
  const std::string_view media_type = provisioning::turn_credentials_media_type;
  const std::size_t slash = media_type.find('/');
  request.wants_body =
      sip::names_accepted(message, media_type.substr(0, slash), media_type.substr(slash + 1));
}

// --- writing ----------------------------------------------------------------------------------------------

// TS 24.229 sections 5.2.2 and 5.4.1.1; "no" would have the core select AKA.
std::string_view integrity_of(const RegisterRequest& request, const CoreRegister& how) {
  if (request.identity) return "auth-done";
  if (request.proof == ProofKind::aka && how.client.is_secure) return "tls-connected";
  if (!request.has_response) return {};
  if (how.client.is_secure) return how.is_bound ? "tls-yes" : "tls-pending";
  return how.is_bound ? "ip-assoc-yes" : "ip-assoc-pending";
}

// Trusted Node Authentication (TS 33.203 annex U): the WIC's token stays here.
std::string make_trusted_authorization(const RegisterRequest& request, const CoreRegister& how,
                                       const Settings& settings) {
  std::string value = "Digest username=" + sip::quoted_string(request.key.impi) +
                      ", realm=" + sip::quoted_string(settings.home_domain) +
                      ", uri=\"sip:" + settings.home_domain +
                      "\", nonce=\"\", response=\"\", integrity-protected=\"auth-done\"";
  if (!how.authorization_entity.empty())
    value += ", authorization-entity=" + sip::quoted_string(how.authorization_entity);
  return value;
}

void write_authorization(sip::Editor& edited, const sip::Message& message, const RegisterRequest& request,
                         const CoreRegister& how, const Settings& settings) {
  edited.remove(HeaderName::authorization);
  if (request.identity) {
    edited.remove(HeaderName::proxy_authorization);
    edited.append(HeaderName::authorization, make_trusted_authorization(request, how, settings));
    return;
  }
  strip_credentials(edited, message, HeaderName::proxy_authorization);
  const std::string_view integrity = integrity_of(request, how);
  bool is_marked = integrity.empty();
  for (auto row = message.find_row(HeaderName::authorization); row;
       row = message.find_row(HeaderName::authorization, *row + 1)) {
    const auto found = sip::Credentials::parse(message.header(*row).value, message.limits());
    if (!found) continue;
    std::string mark;
    if (!is_marked && found->is_digest()) {
      mark = "integrity-protected=\"" + std::string{integrity} + '"';
      is_marked = true;
    }
    if (const std::string kept = without_trust_params(*found, mark); !kept.empty())
      edited.append(HeaderName::authorization, kept);
  }
}

// A registration does not outlive the token that it stands on.
void cap_lifetime(sip::Editor& edited, const sip::Message& message, std::chrono::seconds lifetime_max) {
  const auto contact = sip::first_name_addr(message, HeaderName::contact);
  if (!contact) return;
  const auto seconds_max = static_cast<std::uint64_t>(std::max<std::int64_t>(lifetime_max.count(), 0));
  if (sip::contact_expires(message, *contact, expires_default) <= seconds_max) return;
  const std::string value = std::to_string(seconds_max);
  if (contact->params.has("expires")) edited.set_param(contact->params, "expires", value);
  edited.replace(HeaderName::expires, value);
}

}  // namespace

std::expected<RegisterRequest, RegisterProblem> read_register(const sip::Message& message,
                                                              const Settings& settings) {
  if (message.has(HeaderName::proxy_require)) return std::unexpected(RegisterProblem{420});
  RegisterRequest request;
  request.text = message.text();
  if (const auto problem = read_identities(request, message, settings)) return std::unexpected(*problem);
  if (const auto problem = read_contacts(request, message)) return std::unexpected(*problem);
  if (const auto problem = read_proof(request, message, settings)) return std::unexpected(*problem);
  read_wish(request, message);
  return request;
}

sip::Parsed<sip::OwnRequest> make_core_register(const sip::Message& message, const RegisterRequest& request,
                                                const CoreRegister& how, Switchboard& board) {
  const Settings& settings = board.settings;
  sip::Editor edited{message};
  if (const auto hops = edited.decrement_max_forwards(); !hops) return std::unexpected(hops.error());
  if (strip_from_client(edited, message) || request.is_forged)
    board.report_bad(request.flow, BadMessage::forged_trust, 0);
  add_missing_length(edited, message);
  if (const auto via = sip::top_via(message)) edited.stamp_via(*via, how.client.remote);
  edited.remove(HeaderName::route);
  write_authorization(edited, message, request, how, settings);
  if (how.lifetime_max) cap_lifetime(edited, message, *how.lifetime_max);
  // RFC 3327 section 5.2 and RFC 5626 section 5.1.
  const std::string token = board.tokens.seal({.use = TokenUse::path, .flow = request.flow, .next = {}});
  edited.append(HeaderName::path, board.own_uri(token, ";lr;ob"));
  edited.append(HeaderName::require, "path");
  if (!sip::has_token(message, HeaderName::supported, "path")) edited.append(HeaderName::supported, "path");
  if (!settings.visited_network.empty())
    edited.append(HeaderName::p_visited_network_id, sip::quoted_string(settings.visited_network));
  edited.append(HeaderName::p_charging_vector, board.make_charging_vector());
  return sip::Forwarder::stamped(edited, board.via_to(settings.core), board.random);
}

}  // namespace turnpike::epcscf
