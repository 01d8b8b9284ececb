#include "ims/router.hpp"

#include <algorithm>

#include "ims/identity.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::ims {
namespace {

using sip::HeaderName;

constexpr std::uint16_t port_default = 5060;

bool starts_dialog(const sip::Message& request) {
  const auto address = sip::to(request);
  if (!address || address->tag()) return false;
  return request.method() == sip::Method::invite || request.method() == sip::Method::subscribe ||
         request.method() == sip::Method::refer;
}

std::unexpected<Refusal> refused(std::uint16_t status_code, std::string_view reason = {}) {
  return std::unexpected(Refusal{.status_code = status_code, .reason = std::string{reason}});
}

}  // namespace

// What the Route headers say.
struct Router::Routes {
  std::size_t own_count = 0;  // those in front that name us
  bool is_originating = false;
  std::string next{};  // the URI behind them; empty: none
};

std::expected<Router::Routes, Refusal> Router::read_routes(const sip::Message& request) const {
  Routes routes;
  sip::NameAddrCursor cursor{request, HeaderName::route};
  while (const auto member = cursor.next()) {
    if (!*member) return refused(400, "Bad Route");
    if (!settings_.is_own((*member)->uri)) {
      routes.next = (*member)->uri_text;
      break;
    }
    ++routes.own_count;
    routes.is_originating = routes.is_originating || (*member)->uri.user() == "orig";
  }
  return routes;
}

bool Router::ends_here(const sip::Message& request) const {
  const auto routes = read_routes(request);
  const auto target = sip::request_uri(request);
  return routes && routes->next.empty() && target &&
         (settings_.is_own(*target) || target->scheme() == sip::Scheme::tel);
}

bool Router::is_for_us(const sip::Message& request) const {
  const auto target = sip::request_uri(request);
  return ends_here(request) && !target->has_user();
}

bool Router::is_edge(const sip::Hop& from) const {
  return settings_.trusts(from) || registrations_.is_edge(from.host);
}

std::optional<std::string> Router::originator(const sip::Message& request, const sip::Hop& from) const {
  if (settings_.trusts(from)) {
    const auto asserted = sip::first_name_addr(request, HeaderName::p_asserted_identity);
    if (asserted) return public_identity(asserted->uri);
  }
  const auto address = sip::from(request);
  return address ? public_identity(address->uri) : std::nullopt;
}

// TS 24.229 section 5.4.2.1.1. What a proxy forwards for a user comes by our Service-Route and asserts one of
// the user's identities, which all have a user part; what it asks for itself has neither.
std::expected<Watcher, Refusal> Router::watcher(const sip::Message& request, const sip::Hop& from) const {
  if (!is_edge(from)) return refused(403);
  const auto routes = read_routes(request);
  if (!routes) return std::unexpected(routes.error());
  if (settings_.trusts(from)) {
    const auto asserted = sip::first_name_addr(request, HeaderName::p_asserted_identity);
    if (!asserted) return refused(403, "Not Asserted");
    const sip::Uri& uri = asserted->uri;
    if (uri.is_sip() && !uri.has_user()) {
      if (routes->is_originating) return refused(403);
      return Watcher{.identity = "sip:" + sip::to_lower(uri.host()) + ':' +
                                 std::to_string(uri.port().value_or(port_default)),
                     .is_node = true};
    }
  }
  if (const auto checked = check_originator(request, from); !checked) return std::unexpected(checked.error());
  return Watcher{.identity = *originator(request, from)};
}

std::expected<NextHop, Refusal> Router::route(const sip::Message& request, const sip::Hop& from,
                                              sip::Editor& edited) const {
  if (!is_edge(from)) return refused(403);
  if (const auto hops = edited.decrement_max_forwards(); !hops)
    return refused(hops.error().status_code(), hops.error().reason_phrase());
  // RFC 3325 section 5: what an untrusted node asserts is nobody's identity.
  if (!settings_.trusts(from)) edited.remove(HeaderName::p_asserted_identity);
  const auto routes = read_routes(request);
  if (!routes) return std::unexpected(routes.error());
  // RFC 3261 section 16.4.
  edited.remove_values(HeaderName::route, [left = routes->own_count](std::string_view) mutable {
    if (left == 0) return false;
    --left;
    return true;
  });
  if (routes->is_originating)
    if (const auto checked = check_originator(request, from); !checked)
      return std::unexpected(checked.error());

  if (routes->next.empty()) {
    const auto target = sip::request_uri(request);
    if (!target) return refused(400, "Bad Request-URI");
    if (settings_.is_own(*target) || target->scheme() == sip::Scheme::tel)
      return route_to_callee(request, edited);
    // RFC 3261 section 16.3 step 2.
    if (!target->is_sip()) return refused(416);
    const auto address = sip::to(request);
    const auto next = sip::hop_of(*target);
    // Within a dialog whose way we recorded, its other end may stand behind no proxy.
    if (routes->own_count > 0 && address && address->tag() && settings_.trusts(from) && next)
      return NextHop{.to = *next};
    return refused(404, "No Such Domain Here");
  }
  const auto uri = sip::Uri::parse(routes->next);
  const auto next = uri ? sip::hop_of(*uri) : std::nullopt;
  if (!next) return refused(400, "Bad Route");
  if (starts_dialog(request)) edited.push_record_route('<' + settings_.own_uri({}) + '>');
  return NextHop{.to = *next};
}

// TS 24.229 section 5.4.3.2: the caller is registered, and this proxy is its own.
std::expected<void, Refusal> Router::check_originator(const sip::Message& request,
                                                      const sip::Hop& from) const {
  const auto impu = originator(request, from);
  const Registration* registration = impu ? registrations_.find_public(*impu) : nullptr;
  if (registration == nullptr) return refused(403, "Not Registered");
  const bool came_this_way =
      std::any_of(registration->bindings.begin(), registration->bindings.end(),
                  [&](const Binding& binding) { return binding.source.host == from.host; });
  if (!came_this_way && !settings_.trusts(from)) return refused(403, "Not Registered Here");
  return {};
}

std::optional<Subscriber> Router::find_callee(const sip::Uri& target) const {
  const auto impu = public_identity(target);
  if (!impu) return std::nullopt;
  auto callee = subscribers_.find_public(*impu);
  if (callee) return callee;
  const auto number = number_identity(target);
  return number ? subscribers_.find_public(*number) : std::nullopt;
}

std::expected<NextHop, Refusal> Router::route_to_callee(const sip::Message& request,
                                                        sip::Editor& edited) const {
  const auto target = sip::request_uri(request);
  const auto callee = find_callee(*target);
  if (!callee && subscribers_.has_failed()) return refused(503);
  if (!callee || callee->is_barred) return refused(404);
  const Registration* registration = registrations_.find(callee->impi);
  if (registration == nullptr) return refused(480);
  // No forking: the newest binding is where its user is.
  const Binding& binding = registration->bindings.back();
  edited.set_request_uri(binding.contact);
  // RFC 7315 section 4.2: which identity was called.
  edited.append("P-Called-Party-ID", '<' + std::string{request.request_uri_text()} + '>');
  for (auto member = binding.path.rbegin(); member != binding.path.rend(); ++member)
    edited.push_route(*member);
  if (starts_dialog(request)) edited.push_record_route('<' + settings_.own_uri({}) + '>');

  const std::string& next_text = binding.path.empty() ? binding.contact : binding.path.front();
  const auto address = sip::NameAddr::parse(next_text);
  const auto uri = address ? std::optional{address->uri} : sip::Uri::parse(next_text);
  const auto next = uri ? sip::hop_of(*uri) : std::nullopt;
  if (!next) return refused(480);
  return NextHop{.to = *next, .binding = binding.id};
}

}  // namespace turnpike::ims
