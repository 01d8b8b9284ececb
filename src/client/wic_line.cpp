#include "client/wic_line.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "sip/headers.hpp"
#include "sip/uri.hpp"

namespace turnpike::client {
namespace {

// RFC 4122 section 4.4.
std::string make_uuid(Random& random) {
  auto bytes = random.draw<16>();
  bytes[6] = static_cast<Byte>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<Byte>((bytes[8] & 0x3f) | 0x80);
  const std::string hex = to_hex(bytes);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

std::string describe_registration(const sip::Message& message) {
  const auto seconds = sip::expires(message);
  std::string detail = !seconds        ? std::string{}
                       : *seconds == 0 ? "de-registers"
                                       : fmt::format("for {} s", *seconds);
  const auto login = sip::credentials(message, sip::HeaderName::authorization);
  if (login && !login->text("nonce").value_or("").empty())
    detail += fmt::format(", Digest {} as {}", login->text("algorithm").value_or("MD5"),
                          login->text("username").value_or(""));
  if (login && login->is_bearer()) detail += ", Bearer token";
  if (message.has(sip::HeaderName::turn_credentials)) detail += ", asks for TURN credentials";
  return detail;
}

std::string describe_challenge(const sip::Message& message) {
  std::string detail;
  for (const auto name : {sip::HeaderName::www_authenticate, sip::HeaderName::proxy_authenticate}) {
    for (auto row = message.find_row(name); row; row = message.find_row(name, *row + 1)) {
      const auto challenge = sip::Credentials::parse(message.header(*row).value);
      if (!challenge) continue;
      detail += detail.empty() ? "" : ", or ";
      detail += challenge->scheme;
      if (challenge->is_digest()) detail += ' ' + challenge->text("algorithm").value_or("MD5");
      if (const auto stale = challenge->text("stale"); stale && sip::equal_ignoring_case(*stale, "true"))
        detail += ", the nonce was stale";
      if (const auto error = challenge->text("error")) detail += ", " + *error;
    }
  }
  return detail;
}

}  // namespace

WicNames make_wic_names(const WicAgentSettings& settings, Random& random) {
  check(!find_identity_problem(settings.identity), "the shell has checked the identity");
  const auto uri = sip::Uri::parse(settings.identity);
  WicNames names{
      .identity = settings.identity,
      .home = std::string{uri->host()},
      .via_transport = settings.is_secure ? "WSS" : "WS",
      .host = make_token(random) + ".invalid",
      .instance = "urn:uuid:" + (settings.instance.empty() ? make_uuid(random) : settings.instance)};
  // RFC 7118 section 5.2.2: "ws" for both, secure or not.
  names.contact_uri = fmt::format("sip:{}@{};transport=ws", uri->user(), names.host);
  return names;
}

std::string make_token(Random& random) { return to_hex(random.draw<8>()); }

std::optional<std::string> find_identity_problem(std::string_view identity) {
  const auto uri = sip::Uri::parse(identity);
  if (!uri || !uri->is_sip() || !uri->has_user())
    return fmt::format("\"{}\" is no SIP identity: sip:USER@HOME, for example sip:alice@ims.example",
                       identity);
  return std::nullopt;
}

std::string WicLine::make_via() {
  return fmt::format("SIP/2.0/{} {};branch={}{};rport", names_.via_transport, names_.host, sip::branch_cookie,
                     make_token(random_));
}

std::optional<sip::ClientId> WicLine::send(std::string request, Owner owner, Now now) {
  if (!is_open_) return std::nullopt;
  const auto id = layer_.send_request(std::move(request), flow(), now);
  if (!id) return std::nullopt;
  owners_[*id] = owner;
  return *id;
}

void WicLine::send_ack(std::string ack) {
  if (is_open_) transmit(std::move(ack));
}

void WicLine::respond(sip::ServerId id, std::string response, Now now) {
  // A response that comes too late has nobody to go to.
  static_cast<void>(layer_.respond(id, std::move(response), now));
}

std::optional<WicLine::Owner> WicLine::owner_of(sip::ClientId id) const {
  const auto found = owners_.find(id);
  return found == owners_.end() ? std::nullopt : std::optional{found->second};
}

void WicLine::transmit(std::string bytes) {
  if (const auto message = sip::Message::parse(bytes)) emit(describe_message(*message, true));
  emit(WicSend{std::move(bytes)});
}

std::optional<WicEffect> WicLine::next_effect() {
  if (effects_.empty()) return std::nullopt;
  WicEffect effect = std::move(effects_.front());
  effects_.pop_front();
  return effect;
}

WicTraced describe_message(const sip::Message& message, bool is_sent) {
  WicTraced traced{.is_sent = is_sent};
  const auto number = sip::cseq(message);
  if (message.is_request()) {
    traced.message = fmt::format("{} {}", message.method_text(), message.request_uri_text());
    if (message.method() == sip::Method::registration) traced.detail = describe_registration(message);
    if (message.method() == sip::Method::invite || message.method() == sip::Method::bye)
      if (const auto caller = sip::from(message); caller && !is_sent)
        traced.detail = fmt::format("from {}", caller->uri_text);
    return traced;
  }
  traced.message = fmt::format("{} {}", message.status_code(), message.reason());
  if (number) traced.message += fmt::format(" ({})", number->method_text);
  if (message.status_code() == 401 || message.status_code() == 407)
    traced.detail = describe_challenge(message);
  if (const std::string warning = warning_text(message); !warning.empty()) traced.detail = warning;
  return traced;
}

std::string warning_text(const sip::Message& message) {
  const auto header = message.find(sip::HeaderName::warning);
  if (!header) return {};
  const auto quote = header->value.find('"');
  if (quote == std::string_view::npos) return std::string{header->value};
  sip::Scanner scanner{header->value.substr(quote)};
  const auto quoted = scanner.take_quoted();
  return quoted ? sip::unquoted(*quoted) : std::string{header->value};
}

}  // namespace turnpike::client
