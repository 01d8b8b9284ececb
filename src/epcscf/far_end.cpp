#include "epcscf/far_end.hpp"

#include <algorithm>
#include <utility>

#include "sip/headers.hpp"
#include "sip/writer.hpp"

namespace turnpike::epcscf {
namespace {

using sip::HeaderName;

std::string value_of(const sip::Message& message, HeaderName name) {
  const auto header = message.find(name);
  return header ? std::string{header->value} : std::string{};
}

std::optional<std::string> contact_uri(const sip::Message& message) {
  const auto contact = sip::first_name_addr(message, HeaderName::contact);
  return contact ? std::optional{std::string{contact->uri.text()}} : std::nullopt;
}

std::optional<FarEnd> checked(FarEnd end) {
  return end.next() ? std::optional{std::move(end)} : std::nullopt;
}

}  // namespace

std::optional<sip::Hop> FarEnd::next() const {
  if (!routes.empty()) {
    const auto first = sip::NameAddr::parse(routes.front());
    return first ? sip::hop_of(first->uri) : std::nullopt;
  }
  const auto uri = sip::Uri::parse(target);
  return uri ? sip::hop_of(*uri) : std::nullopt;
}

bool FarEnd::has_tags_of(const sip::Message& request) const {
  const auto tag_of = [](const auto& name_addr) { return name_addr ? name_addr->tag() : std::nullopt; };
  const auto from = tag_of(sip::from(request)), to = tag_of(sip::to(request));
  const auto ours = tag_of(sip::NameAddr::parse(near)), theirs = tag_of(sip::NameAddr::parse(far));
  return (from == ours && to == theirs) || (from == theirs && to == ours);
}

std::optional<FarEnd> far_end_of_originating(const sip::Message& invite, const sip::Message& accepted,
                                             const IsOwn& is_own) {
  const auto number = sip::cseq(invite);
  auto target = contact_uri(accepted);
  if (!number || !target) return std::nullopt;
  FarEnd end{.target = *std::move(target),
             .near = value_of(accepted, HeaderName::from),
             .far = value_of(accepted, HeaderName::to),
             .number = number->number};
  sip::NameAddrCursor recorded{accepted, HeaderName::record_route};
  while (const auto route = recorded.next()) {
    if (!*route) return std::nullopt;
    if (is_own((*route)->uri)) break;  // what follows lies on the WIC's side
    end.routes.emplace_back((*route)->text);
  }
  std::ranges::reverse(end.routes);
  return checked(std::move(end));
}

std::optional<FarEnd> far_end_of_terminating(const sip::Message& invite, const sip::Message& accepted) {
  auto target = contact_uri(invite);
  if (!target) return std::nullopt;
  FarEnd end{.target = *std::move(target),
             .near = value_of(accepted, HeaderName::to),
             .far = value_of(accepted, HeaderName::from)};
  sip::NameAddrCursor recorded{invite, HeaderName::record_route};
  while (const auto route = recorded.next()) {
    if (!*route) return std::nullopt;
    end.routes.emplace_back((*route)->text);
  }
  return checked(std::move(end));
}

void refresh_target(FarEnd& end, const sip::Message& from_far) {
  if (auto target = contact_uri(from_far)) end.target = *std::move(target);
}

std::string make_bye(FarEnd& end, std::string_view call_id, std::string_view via, std::string_view reason) {
  sip::Writer writer = sip::Writer::request(sip::Method::bye, end.target);
  writer.add(HeaderName::via, via);
  for (const std::string& route : end.routes) writer.add(HeaderName::route, route);
  writer.add(HeaderName::max_forwards, "70")
      .add(HeaderName::from, end.near)
      .add(HeaderName::to, end.far)
      .add(HeaderName::call_id, call_id)
      .add(HeaderName::cseq, std::to_string(++end.number) + " BYE")
      .add("Reason", reason);
  return writer.finish();
}

}  // namespace turnpike::epcscf
