#include "ims/registrar.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "ims/identity.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::ims {
namespace {

using sip::HeaderName;

std::string refuse(const sip::Message& request, const Refusal& refusal, std::string_view to_tag) {
  sip::Writer writer = sip::make_response(request, refusal.status_code, to_tag, refusal.reason);
  for (const auto& [name, value] : refusal.rows) writer.add(name, value);
  return writer.finish();
}

// RFC 3261 section 8.2.2.3: options that are demanded and not known here.
std::optional<Refusal> find_unsupported(const sip::Message& request) {
  constexpr std::array<std::string_view, 2> supported{"path", "outbound"};
  std::string unsupported;
  sip::ValueCursor options{request, HeaderName::require};
  while (const auto option = options.next()) {
    if (std::any_of(supported.begin(), supported.end(),
                    [&](auto name) { return sip::equal_ignoring_case(name, *option); }))
      continue;
    if (!unsupported.empty()) unsupported += ", ";
    unsupported += *option;
  }
  if (unsupported.empty()) return std::nullopt;
  return Refusal{.status_code = 420, .reason = {}, .rows = {{HeaderName::unsupported, unsupported}}};
}

std::string params_without_expires(const sip::Params& params) {
  std::string text;
  params.for_each([&](const sip::Param& param) {
    if (param.is_named("expires")) return;
    text += ';';
    text += param.whole;
  });
  return text;
}

std::int64_t seconds_left(const Binding& binding, Now now) {
  return std::chrono::ceil<std::chrono::seconds>(binding.expires_at - now.mono).count();
}

}  // namespace

struct Registrar::Wish {
  std::vector<Binding> bound{};
  std::vector<std::uint64_t> unbound{};
  bool is_outbound = false;
};

RegisterOutcome Registrar::on_register(const sip::Message& request, const sip::Hop& from,
                                       std::string_view to_tag, Now now) {
  RegisterOutcome outcome;
  const auto answer = [&](const Refusal& refusal) {
    outcome.response = refuse(request, refusal, to_tag);
    return std::move(outcome);
  };
  // RFC 3261 section 10.3, in its order.
  const auto target = sip::request_uri(request);
  if (!target || !settings_.is_own(*target)) return answer({.status_code = 404, .reason = {}});
  if (const auto unsupported = find_unsupported(request)) return answer(*unsupported);
  const auto address = sip::to(request);
  const auto impu = address ? public_identity(address->uri) : std::nullopt;
  const auto authorization = authenticator_.find_authorization(request);
  const auto impi = Authenticator::claimed_identity(request, authorization);
  if (!impu || !impi) return answer({.status_code = 404, .reason = {}});
  outcome.impi = *impi;

  const Registration* known = registrations_.find(*impi);
  const Sender sender{.is_trusted = settings_.trusts(from), .is_registered = known != nullptr};
  Verdict verdict = authenticator_.judge(authorization, *impi, *impu, sender, now);
  if (const auto* refused = std::get_if<Refused>(&verdict)) {
    outcome.refusal = refused->reason;
    outcome.has_refusal = true;
    return answer({.status_code = refused->status_code, .reason = {}});
  }
  if (const auto* challenged = std::get_if<Challenged>(&verdict)) {
    outcome.kind = RegisterOutcome::Kind::challenged;
    outcome.has_refusal = challenged->is_replay;
    outcome.refusal = RefusalReason::used_nonce;
    Refusal refusal{.status_code = 401, .reason = {}};
    for (const std::string& row : challenged->rows)
      refusal.rows.emplace_back(HeaderName::www_authenticate, row);
    return answer(refusal);
  }
  auto wish = read_wish(request, *impu, from, known, now);
  if (!wish) return answer(wish.error());
  if (known == nullptr && registrations_.size() >= settings_.limits.registrations_max)
    return answer({.status_code = 503, .reason = {}, .rows = {{HeaderName::retry_after, "60"}}});
  return obey(request, std::get<Accepted>(verdict), *std::move(wish), to_tag, now);
}

std::expected<Registrar::Wish, Refusal> Registrar::read_wish(const sip::Message& request,
                                                             std::string_view impu, const sip::Hop& from,
                                                             const Registration* known, Now now) const {
  Wish wish;
  Binding like{.impu = std::string{impu}, .source = from};
  like.call_id = sip::call_id(request).value_or("");
  if (const auto cseq = sip::cseq(request)) like.cseq = cseq->number;
  sip::NameAddrCursor path{request, HeaderName::path};
  while (const auto member = path.next()) {
    if (!*member || like.path.size() >= settings_.limits.path_max)
      return std::unexpected(Refusal{.status_code = 400, .reason = "Bad Path"});
    if (like.path.empty()) wish.is_outbound = (*member)->uri.params().has("ob");
    like.path.emplace_back((*member)->text);
  }
  wish.is_outbound = wish.is_outbound && sip::has_token(request, HeaderName::supported, "outbound");

  if (sip::has_wildcard_contact(request)) {
    // RFC 3261 section 10.3 step 6.
    const auto expires = sip::expires(request);
    if (!expires || *expires != 0)
      return std::unexpected(Refusal{.status_code = 400, .reason = "Contact * needs Expires 0"});
    for (std::size_t i = 0; known != nullptr && i < known->bindings.size(); ++i)
      wish.unbound.push_back(known->bindings[i].id);
    wish.is_outbound = false;
    return wish;
  }
  sip::NameAddrCursor contacts{request, HeaderName::contact};
  while (const auto contact = contacts.next()) {
    if (!*contact) return std::unexpected(Refusal{.status_code = 400, .reason = "Bad Contact"});
    if (auto added = add_contact(request, **contact, like, known, wish, now); !added)
      return std::unexpected(added.error());
  }
  // More than one at a time cannot be told apart by what displaces them.
  if (wish.bound.size() > settings_.limits.bindings_max)
    return std::unexpected(Refusal{.status_code = 400, .reason = "Too Many Contacts"});
  return wish;
}

std::expected<void, Refusal> Registrar::add_contact(const sip::Message& request, const sip::NameAddr& contact,
                                                    Binding like, const Registration* known, Wish& wish,
                                                    Now now) const {
  // RFC 3261 section 19.1.1: a Contact with headers could not become a Request-URI.
  if (!contact.uri.is_sip() || !contact.uri.headers().empty())
    return std::unexpected(Refusal{.status_code = 400, .reason = "Bad Contact"});
  const auto text = [&](std::string_view name) {
    const auto param = contact.params.find(name);
    return param ? param->text() : std::string{};
  };
  like.contact = contact.uri_text;
  like.params = params_without_expires(contact.params);
  // All of them stand in each 200, and in documents of registration events once for each identity of the set.
  if (like.contact.size() + like.params.size() > settings_.limits.contact_bytes_max)
    return std::unexpected(Refusal{.status_code = 400, .reason = "Contact Too Long"});
  like.instance = text("+sip.instance");
  like.reg_id = text("reg-id");
  // RFC 5626 section 6: without an instance, or without outbound on both sides, reg-id is ignored.
  if (like.instance.empty() || !wish.is_outbound) like.reg_id.clear();

  const Binding* bound = known != nullptr ? known->find(like) : nullptr;
  // RFC 3261 section 10.3 step 7: a request that was overtaken by a later one of the same client changes
  // nothing.
  if (bound != nullptr && bound->call_id == like.call_id && bound->cseq >= like.cseq)
    return std::unexpected(Refusal{.status_code = 500, .reason = "CSeq Out Of Order"});
  const std::chrono::seconds wanted{
      sip::contact_expires(request, contact, static_cast<std::uint32_t>(settings_.expires_default.count()))};
  if (wanted.count() == 0) {
    if (bound != nullptr) wish.unbound.push_back(bound->id);
    return {};
  }
  if (wanted < settings_.expires_min)
    return std::unexpected(
        Refusal{.status_code = 423,
                .reason = {},
                .rows = {{HeaderName::min_expires, std::to_string(settings_.expires_min.count())}}});
  like.registered_at = now.mono;
  like.expires_at = now.mono + std::min(wanted, settings_.expires_max);
  wish.bound.push_back(std::move(like));
  return {};
}

RegisterOutcome Registrar::obey(const sip::Message& request, const Accepted& accepted, Wish wish,
                                std::string_view to_tag, Now now) {
  const std::string& impi = accepted.subscriber.impi;
  RegisterOutcome outcome{.kind = RegisterOutcome::Kind::fetched, .impi = impi};
  const bool uses_outbound =
      std::any_of(wish.bound.begin(), wish.bound.end(), [](const Binding& b) { return !b.reg_id.empty(); });
  if (!wish.unbound.empty()) {
    registrations_.unbind(impi, wish.unbound, ContactEvent::unregistered);
    outcome.kind = RegisterOutcome::Kind::deregistered;
  }
  if (!wish.bound.empty()) {
    registrations_.bind(impi, accepted.subscriber.impus, std::move(wish.bound));
    outcome.kind = RegisterOutcome::Kind::registered;
  }
  outcome.response = make_ok(request, accepted, registrations_.find(impi), uses_outbound, to_tag, now);
  return outcome;
}

std::string Registrar::make_ok(const sip::Message& request, const Accepted& accepted,
                               const Registration* registration, bool is_outbound, std::string_view to_tag,
                               Now now) const {
  sip::Writer ok = sip::make_response(request, 200, to_tag);
  if (registration != nullptr)
    for (const Binding& binding : registration->bindings)
      ok.add(HeaderName::contact, '<' + binding.contact + '>' + binding.params +
                                      ";expires=" + std::to_string(seconds_left(binding, now)));
  // RFC 3327 section 5.3.
  ok.copy(request, HeaderName::path);
  if (registration != nullptr) ok.add(HeaderName::service_route, '<' + settings_.own_uri("orig") + '>');
  // TS 24.229 section 5.4.1.2.2F: the implicit registration set, its default first.
  std::string identities;
  for (const std::string& impu : accepted.subscriber.impus) {
    if (!identities.empty()) identities += ", ";
    identities += '<' + impu + '>';
  }
  if (!identities.empty()) ok.add(HeaderName::p_associated_uri, identities);
  if (!settings_.charging_functions.empty())
    ok.add(HeaderName::p_charging_function_addresses, settings_.charging_functions);
  if (!accepted.authentication_info.empty())
    ok.add(HeaderName::authentication_info, accepted.authentication_info);
  // RFC 5626 section 6.
  if (is_outbound) ok.add(HeaderName::require, "outbound");
  ok.add(HeaderName::supported, "path, outbound");
  return ok.finish();
}

}  // namespace turnpike::ims
