#include "client/wic_registration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "provisioning/turn_credentials.hpp"
#include "sip/headers.hpp"

namespace turnpike::client {
namespace {

using std::chrono::seconds;

constexpr std::uint32_t expires_default = 3600;  // RFC 3261 section 10.2: where the registrar says nothing
constexpr std::string_view body_types = "application/turn-credentials+json";

// TS 24.229 section 5.1.1.4.1: 600 s before the end of what is longer than 1200 s, else at half time.
seconds refresh_time(seconds expires) {
  const seconds at = expires > seconds{1200} ? expires - seconds{600} : expires / 2;
  return std::max(at, seconds{1});
}

// The Contact that is ours, by its instance (RFC 5626 section 4.2); a registrar that has kept no parameters
// has a single one.
std::optional<seconds> find_expires(const sip::Message& response, const WicNames& names,
                                    std::uint32_t asked) {
  sip::NameAddrCursor contacts{response, sip::HeaderName::contact};
  std::optional<seconds> single;
  int count = 0;
  while (const auto contact = contacts.next()) {
    if (!*contact) return std::nullopt;
    const seconds granted{sip::contact_expires(response, **contact, asked)};
    const auto instance = (*contact)->params.find("+sip.instance");
    if (instance && instance->text() == '<' + names.instance + '>') return granted;
    if (!instance) single = granted;
    ++count;
  }
  return count == 1 ? single : std::nullopt;
}

std::vector<std::string> uris_of(const sip::Message& response, sip::HeaderName name) {
  std::vector<std::string> uris;
  sip::NameAddrCursor addresses{response, name};
  while (const auto address = addresses.next())
    if (*address) uris.emplace_back((*address)->uri_text);
  return uris;
}

bool may_pass(std::uint16_t code) {
  return code == 408 || code == 480 || code == 500 || code == 503 || code == 504;
}

}  // namespace

WicRegistration::WicRegistration(const WicAgentSettings& settings, WicLine& line)
    : settings_(settings),
      line_(line),
      authenticator_(settings.login, line.names().home, line.random()),
      call_id_(make_token(line.random())),
      expires_(settings.expires) {}

void WicRegistration::start(Now now) {
  is_wanted_ = true;
  if (!is_pending_ && line_.is_open()) begin(now);
}

void WicRegistration::stop(Now now) {
  const bool was_wanted = std::exchange(is_wanted_, false);
  due_.reset();
  if (!is_pending_ && is_registered_) return begin(now);
  if (!is_pending_ && was_wanted) line_.emit(WicUnregistered{});
}

void WicRegistration::begin(Now now) {
  authenticator_.begin();
  due_.reset();
  // Tags tell requests of one Call-ID apart from earlier ones; a registration is no dialog.
  from_tag_ = make_token(line_.random());
  send(now);
}

void WicRegistration::send(Now now) {
  is_pending_an_end_ = !is_wanted_;
  is_pending_ = true;
  if (!line_.send(make_request(), WicLine::registration, now)) {
    is_pending_ = false;
    give_up({.kind = WicRefused::Kind::flow_closed});
  }
}

std::string WicRegistration::make_request() {
  const WicNames& names = line_.names();
  const std::string home_uri = "sip:" + names.home;
  auto writer = sip::Writer::request(sip::Method::registration, home_uri);
  writer.add(sip::HeaderName::via, line_.make_via())
      .add(sip::HeaderName::max_forwards, 70)
      .add(sip::HeaderName::from, fmt::format("<{}>;tag={}", names.identity, from_tag_))
      .add(sip::HeaderName::to, fmt::format("<{}>", names.identity))
      .add(sip::HeaderName::call_id, call_id_)
      .add(sip::HeaderName::cseq, fmt::format("{} REGISTER", ++number_))
      // RFC 5626 section 4.2.1 and RFC 3327 section 5.1.
      .add(sip::HeaderName::supported, "path, outbound, gruu")
      .add(sip::HeaderName::contact,
           fmt::format("<{}>;reg-id=1;+sip.instance=\"<{}>\"", names.contact_uri, names.instance));
  const auto login = authenticator_.authorize("REGISTER", home_uri);
  writer.add(login.name, login.value);
  // What is wished for stands in the header, whatever carries the answer (docs/turn-credentials.md,
  // "Negotiation").
  const bool has_wishes = provisioning::format_request(settings_.wanted) != provisioning::format_request({});
  const bool asks_by_body = settings_.credentials == CredentialsAsk::body;
  if (is_wanted_ && (settings_.credentials == CredentialsAsk::header || (asks_by_body && has_wishes)))
    writer.add(sip::HeaderName::turn_credentials, provisioning::format_request(settings_.wanted));
  if (is_wanted_ && asks_by_body) writer.add(sip::HeaderName::accept, body_types);
  writer.add(sip::HeaderName::expires, is_wanted_ ? static_cast<std::uint64_t>(expires_.count()) : 0);
  return writer.finish();
}

void WicRegistration::on_response(const sip::Message& response, Now now) {
  const std::uint16_t code = response.status_code();
  if (code < 200 || !is_pending_) return;
  is_pending_ = false;
  if (code == 401 || code == 407) return on_challenge(response, now);
  if (code == 423) return on_too_brief(response, now);
  if (code < 300) return on_accepted(response, now);
  if (may_pass(code) && wait_as_told(response, now)) return;
  refuse(response);
}

void WicRegistration::on_challenge(const sip::Message& response, Now now) {
  const auto result = authenticator_.on_challenge(response);
  if (result) return send(now);
  give_up({.kind = WicRefused::Kind::login,
           .code = response.status_code(),
           .reason = std::string{response.reason()},
           .warning = warning_text(response),
           .login = result.error(),
           .token_error = authenticator_.token_error()});
}

// RFC 3261 section 10.2.8.
void WicRegistration::on_too_brief(const sip::Message& response, Now now) {
  const auto min = sip::min_expires(response);
  if (!min || seconds{*min} <= expires_ || is_pending_an_end_) return refuse(response);
  expires_ = seconds{*min};
  authenticator_.begin();
  send(now);
}

void WicRegistration::on_accepted(const sip::Message& response, Now now) {
  retries_ = 0;
  if (is_pending_an_end_) {
    is_registered_ = false;
    line_.emit(WicUnregistered{});
    if (is_wanted_) begin(now);
    return;
  }
  const auto expires = find_expires(response, line_.names(), expires_default);
  if (!expires || expires->count() == 0)
    return give_up({.kind = WicRefused::Kind::malformed_answer,
                    .code = response.status_code(),
                    .reason = "the 200 OK names no Contact of this client"});
  WicRegistered registered{.expires = *expires,
                           .refresh_after = refresh_time(*expires),
                           .identities = uris_of(response, sip::HeaderName::p_associated_uri),
                           .login_method = authenticator_.method_name(),
                           .credentials = read_provision(response, now.wall),
                           .warning = warning_text(response),
                           .is_refresh = is_registered_};
  // A credential that ends before the registration is renewed with it.
  if (registered.credentials && registered.credentials->refresh_after.count() > 0)
    registered.refresh_after = std::min(registered.refresh_after, registered.credentials->refresh_after);
  is_registered_ = true;
  line_.service_route = uris_of(response, sip::HeaderName::service_route);
  due_ = now.mono + registered.refresh_after;
  line_.emit(std::move(registered));
  if (!is_wanted_) begin(now);  // stopped meanwhile
}

bool WicRegistration::wait_as_told(const sip::Message& response, Now now) {
  const auto after = sip::retry_after(response);
  if (!after || *after > settings_.limits.retry_after_max || !is_wanted_) return false;
  if (++retries_ > settings_.limits.retries_max) return false;
  // Not at once, whatever the server says.
  const seconds wait = std::max(*after, seconds{1});
  due_ = now.mono + wait;
  line_.emit(WicRetrying{.code = response.status_code(), .after = wait});
  return true;
}

void WicRegistration::refuse(const sip::Message& response) {
  give_up({.kind = WicRefused::Kind::code,
           .code = response.status_code(),
           .reason = std::string{response.reason()},
           .warning = warning_text(response),
           .retry_after = sip::retry_after(response).value_or(seconds{0})});
}

void WicRegistration::on_no_answer(Now) {
  if (std::exchange(is_pending_, false)) give_up({.kind = WicRefused::Kind::no_answer});
}

void WicRegistration::on_flow_opened(Now now) {
  if (is_wanted_ && !is_pending_) begin(now);
}

// RFC 5626 section 4.4.1: the binding is void without its flow. What is wanted stays wanted, for the next
// one.
void WicRegistration::on_flow_closed() {
  const bool was_active = is_pending_ || is_registered_ || due_;
  is_pending_ = is_registered_ = false;
  due_.reset();
  if (was_active) line_.emit(WicRefused{.kind = WicRefused::Kind::flow_closed});
}

void WicRegistration::on_timeout(Now now) {
  if (due_ && *due_ <= now.mono && !is_pending_) begin(now);
}

void WicRegistration::give_up(WicRefused refused) {
  is_wanted_ = is_registered_ = false;
  due_.reset();
  retries_ = 0;
  line_.emit(std::move(refused));
}

}  // namespace turnpike::client
