// Any sequence of what can happen to an eP-CSCF: WICs that come, go, and say anything, a core that answers
// well, badly, twice or not at all, tokens, relays, time. Whatever comes, what leaves are sound messages, no
// word of one side's own reaches the other, and in the end nothing is left: no registration, no call, no
// transaction, and no credential that nobody has taken back.
//
// The input is a list of steps: one byte that says what happens, then what that takes.

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "epcscf/proxy.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"
#include "target.hpp"

namespace turnpike::epcscf {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t steps_max = 200;
constexpr std::size_t kept_max = 16;
constexpr std::uint64_t flows = 3;
const sip::Hop core{.transport = sip::Transport::udp, .host = "192.0.2.10", .port = 5060};

// Bytes of the input, then zeros.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  [[nodiscard]] bool is_over() const { return rest_.empty(); }
  Byte byte() {
    if (rest_.empty()) return 0;
    const Byte first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  std::string text(std::size_t wanted) {
    const Bytes taken = rest_.first(std::min(wanted, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return std::string{as_text(taken)};
  }
  template <typename T, std::size_t size>
  const T& pick(const std::array<T, size>& choices) {
    return choices[byte() % size];
  }

 private:
  Bytes rest_;
};

Settings settings_of_fuzz() {
  Settings settings;
  settings.home_domain = "h";
  settings.own_host = "p:1";
  settings.core = core;
  settings.bearer = {.authorization_server = "https://w/",
                     .scope = {},
                     .issuers = {{.name = "w", .is_third_party = true}},
                     .wwsfs = {{.name = "s", .pool = {"*@h"}}}};
  settings.provisioning = provisioning::Settings{
      .realm = "h",
      .uris = {"turn:t.example:3478"},
      .sources = {credentials::Source::pushed, credentials::Source::computed},
      .computed = credentials::ComputedSettings{.secrets = {{.id = {}, .secret = Secret::from_text("s")}}},
      .token = std::nullopt,
      .policy = {},
      .opaque_id_key = Secret::from_text("o"),
      .life = {}};
  settings.limits.registrations_per_flow_max = 3;
  settings.limits.registrations_per_impi_max = 3;
  settings.limits.calls_per_flow_max = 3;
  settings.limits.core_hops_max = 4;
  return settings;
}

class World {
 public:
  void run(Input input) {
    for (std::size_t i = 0; i < steps_max && !input.is_over(); ++i) {
      step(input);
      drain();
      check(proxy_.counters().registrations_active == proxy_.registrations(SIZE_MAX, now_).size());
    }
    end();
  }

 private:
  void step(Input& input) {
    const Byte what = input.byte();
    const FlowId flow{1 + what / 16 % flows};
    switch (what % 16) {
      case 0:
        proxy_.on_client_closed(flow, now_);
        return;
      case 1:
        return pass(milliseconds{100 * input.byte()});
      case 2:
        return pass(seconds{input.byte()});
      case 3:
        return from_client(flow, input.text(input.byte() * 4U));
      case 4:
        return from_core(input.text(input.byte() * 4U), input);
      case 5:
        return from_client(flow, mutated(client_said_, input));
      case 6:
        return from_core(mutated(core_was_told_, input), input);
      case 7:
        return answer_token(input);
      case 8:
        return answer_push(input);
      case 9:
        return answer_as_client(flow, input);
      case 10:
        return from_core(make_core_request(input), input);
      case 11:
        if (input.byte() % 4 == 0) proxy_.on_core_failed(core, now_);
        if (input.byte() % 8 == 0) proxy_.deregister("a@h", now_);
        return;
      case 12:
        return from_client(flow, make_client_request(input));
      case 13:
        return from_client(flow, make_register(input));
      default:
        return answer_as_core(input);
    }
  }

  // --- messages ---
  std::string make_register(Input& input) {
    static constexpr std::array<std::string_view, 6> proofs{
        "",
        "Authorization: Digest username=\"a@h\", response=\"1\"\r\n",
        "Authorization: Digest username=\"b@h\", response=\"\", integrity-protected=\"auth-done\"\r\n",
        "Authorization: Bearer access_token=\"t\"\r\n",
        "Authorization: Bearer t\r\n",
        "Authorization: Digest algorithm=AKAv2-SHA-256, response=\"1\", realm=\"h\"\r\n"};
    static constexpr std::array<std::string_view, 5> rows{
        "", "Turn-Credentials: request\r\n", "Accept: application/turn-credentials+json\r\n",
        "Turn-Credentials: request;ttl=x\r\nP-Charging-Vector: icid-value=1\r\n",
        "Path: <sip:evil>\r\nRequire: path\r\nTurn-Credentials: request\r\n"};
    static constexpr std::array<std::string_view, 4> contacts{
        "<sip:a@x.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"", "<sip:a@y.invalid>", "*",
        "<sip:a@x.invalid>;expires=0"};
    static constexpr std::array<std::string_view, 4> ends{"600", "0", "5", "4294967295"};
    static constexpr std::array<std::string_view, 2> users{"a@h", "b@h"};
    const std::string user{input.pick(users)};
    return head("REGISTER", "sip:h", user, user, "") + "Contact: " + std::string{input.pick(contacts)} +
           "\r\nExpires: " + std::string{input.pick(ends)} + "\r\n" + std::string{input.pick(proofs)} +
           std::string{input.pick(rows)} + "\r\n";
  }
  std::string make_client_request(Input& input) {
    const std::string_view method = input.pick(methods);
    const bool is_in_dialog = input.byte() % 2 == 1;
    std::string rows = is_in_dialog && !routes_.empty() ? "Route: " + kept(routes_, input) + "\r\n" : "";
    return head(method, "sip:b@x.invalid", "a@h", "b@h", is_in_dialog ? "t" : "") + rows +
           "Contact: <sip:a@x.invalid>\r\n\r\n";
  }
  std::string make_core_request(Input& input) {
    const std::string_view method = input.pick(methods);
    const bool is_in_dialog = input.byte() % 2 == 1;
    std::string rows = routes_.empty() ? "" : "Route: " + kept(routes_, input) + "\r\n";
    return head(method, "sip:a@x.invalid", "b@h", "a@h", is_in_dialog ? "t" : "") + rows +
           "Contact: <sip:192.0.2.77>\r\nRecord-Route: <sip:192.0.2.10;lr>\r\nTurn-Credentials: <turn:e>\r\n"
           "P-Charging-Vector: icid-value=1\r\nP-Charging-Function-Addresses: ccf=1\r\n\r\n";
  }
  std::string head(std::string_view method, std::string_view target, std::string_view from,
                   std::string_view to, std::string_view to_tag) {
    const std::string number = std::to_string(++numbers_);
    // ACK and CANCEL are about the request before.
    const bool is_new = method != "ACK" && method != "CANCEL";
    return std::string{method} + ' ' + std::string{target} +
           " SIP/2.0\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bK" +
           std::to_string(is_new ? ++branches_ : branches_) +
           ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:" + std::string{from} +
           ">;tag=f\r\nTo: <sip:" + std::string{to} + '>' +
           (to_tag.empty() ? "" : ";tag=" + std::string{to_tag}) + "\r\nCall-ID: c" +
           std::to_string(numbers_ % 4) + "\r\nCSeq: " + number + ' ' + std::string{method} + "\r\n";
  }
  static std::string mutated(const std::vector<std::string>& from, Input& input) {
    std::string text = kept(from, input);
    if (text.empty()) return text;
    const std::size_t at = (input.byte() * 256U + input.byte()) % text.size();
    return text.replace(at, input.byte() % 8, input.text(input.byte() % 32));
  }
  static std::string kept(const std::vector<std::string>& from, Input& input) {
    return from.empty() ? std::string{} : from[input.byte() % from.size()];
  }
  static void keep(std::vector<std::string>& in, std::string text) {
    in.push_back(std::move(text));
    if (in.size() > kept_max) in.erase(in.begin());
  }

  // --- inputs ---
  void from_client(FlowId flow, const std::string& text) {
    proxy_.on_client_connected(flow, {.remote = {}, .is_secure = true, .origin = {}}, now_);
    keep(client_said_, text);
    proxy_.on_client_message(flow, text, now_);
  }
  void from_core(const std::string& text, Input& input) {
    sip::Hop from = core;
    if (input.byte() % 8 == 0) from.port = static_cast<std::uint16_t>(5060 + input.byte());
    proxy_.on_core_message(from, text, now_);
  }
  void answer_as_core(Input& input) {
    static constexpr std::array<std::uint16_t, 8> codes{200, 200, 200, 180, 401, 403, 481, 503};
    static constexpr std::array<std::string_view, 4> rows{
        "Contact: <sip:a@x.invalid;transport=ws>;expires=600, <sip:a@y.invalid>;expires=60\r\n"
        "Service-Route: <sip:192.0.2.10;lr>\r\nP-Associated-URI: <sip:a@h>, <tel:+1>\r\n",
        "Contact: <sip:a@x.invalid;transport=ws>;expires=60\r\nTurn-Credentials: <turn:evil>\r\n"
        "P-Charging-Vector: icid-value=1\r\n",
        "WWW-Authenticate: Digest realm=\"h\", nonce=\"n\", ck=\"1\", ik=\"2\"\r\n", "Expires: 90\r\n"};
    answer(core_was_told_, input, input.pick(codes), input.pick(rows),
           [&](const std::string& text) { from_core(text, input); });
  }
  void answer_as_client(FlowId flow, Input& input) {
    static constexpr std::array<std::uint16_t, 4> codes{180, 200, 486, 200};
    answer(
        client_was_told_, input, input.pick(codes),
        "Contact: <sip:a@x.invalid>\r\nRecord-Route: <sip:evil;lr>\r\nP-Asserted-Identity: <sip:root@h>\r\n",
        [&](const std::string& text) { from_client(flow, text); });
  }
  template <typename Send>
  void answer(const std::vector<std::string>& asked, Input& input, std::uint16_t status_code,
              std::string_view rows, Send send) {
    const std::string text = kept(asked, input);
    const auto message = sip::Message::parse(text);
    if (!message || !message->is_request()) return;
    sip::Writer writer = sip::make_response(*message, status_code, "t");
    std::string response = writer.copy(*message, sip::HeaderName::record_route).finish();
    response.insert(response.find("Content-Length"), rows);
    send(response);
  }
  void answer_token(Input& input) {
    const CheckId id{1 + input.byte() % 16U};
    const Byte kind = input.byte();
    if (kind % 4 == 0)
      return proxy_.on_token_checked(id, std::unexpected(static_cast<TokenRefusal>(kind / 4 % 6)), now_);
    proxy_.on_token_checked(id,
                            TokenIdentity{.impi = kind % 2 == 0 ? "a@h" : "b@h",
                                          .impus = {"sip:a@h", "sip:b@h"},
                                          .wwsf = "s",
                                          .is_pool_identity = kind % 8 > 3,
                                          .issuer = "w",
                                          .expires_at = now_.wall + seconds{kind}},
                            now_);
  }
  void answer_push(Input& input) {
    if (!pushes_.empty())
      proxy_.on_push_done(pushes_[input.byte() % pushes_.size()], input.byte() % 2 == 0, now_);
  }
  void pass(Duration duration) {
    now_.mono += duration;
    now_.wall += duration;
    proxy_.on_timeout(now_);
    const auto next = proxy_.next_timeout();
    check(!next || *next > now_.mono, "a deadline has passed and is still there");
  }

  // --- outputs ---
  void drain() {
    while (auto effect = proxy_.next_effect()) std::visit([&](auto& each) { obey(each); }, *effect);
  }
  void obey(const SendToClient& send) {
    if (send.bytes == "\r\n") return;
    const auto message = sip::Message::parse(send.bytes);
    check(message.has_value(), "what goes to a WIC does not parse");
    for (std::size_t row = 0; row < message->header_count(); ++row)
      check(!sip::to_lower(message->header(row).name_text).starts_with("p-charging"), "charging leaks");
    keep(client_was_told_, send.bytes);
    learn(*message);
  }
  void obey(const SendToCore& send) {
    const auto message = sip::Message::parse(send.bytes);
    check(message.has_value(), "what goes to the core does not parse");
    check(!message->has(sip::HeaderName::turn_credentials), "credentials leak");
    check(message->is_response() || message->body().has_value(), "a body that is too short");
    keep(core_was_told_, send.bytes);
    learn(*message);
  }
  void obey(const PushCredential& push) {
    pushes_.push_back(push.id);
    live_.emplace_back(push.credential.username, push.credential.subject);
  }
  void obey(const RevokeCredentials& revoke) {
    const auto& revocation = revoke.revocation;
    std::erase_if(live_, [&](const auto& each) {
      return revocation.by == credentials::Revocation::By::subject ? each.second == revocation.value
                                                                   : each.first == revocation.value;
    });
  }
  void obey(const CloseClient& close) { proxy_.on_client_closed(close.flow, now_); }
  void obey(const CheckToken&) {}
  void obey(const Report&) {}
  void learn(const sip::Message& message) {
    for (const auto name : {sip::HeaderName::path, sip::HeaderName::record_route}) {
      std::string all;
      sip::ValueCursor values{message, name};
      while (const auto value = values.next()) {
        if (!all.empty()) all.insert(0, ", ");
        all.insert(0, *value);
      }
      if (!all.empty()) keep(routes_, all);
    }
  }

  void end() {
    for (std::uint64_t flow = 1; flow <= flows; ++flow) proxy_.on_client_closed(FlowId{flow}, now_);
    drain();
    for (int i = 0; i < 400; ++i) {
      pass(seconds{1});
      drain();
    }
    const Counters counters = proxy_.counters();
    check(counters.registrations_active == 0, "a registration is left");
    check(counters.calls_active == 0, "a call is left");
    check(counters.transactions_active == 0, "a transaction is left");
    check(counters.subscriptions_active == 0, "a subscription is left");
    check(counters.clients_active == 0, "a client is left");
    check(live_.empty(), "a credential is left that nobody has taken back");
    check(!proxy_.next_timeout(), "a deadline is left");
  }

  static constexpr std::array<std::string_view, 10> methods{
      "INVITE", "ACK", "BYE", "CANCEL", "MESSAGE", "SUBSCRIBE", "NOTIFY", "UPDATE", "OPTIONS", "INVITE"};

  Now now_{Instant{seconds{1000}}, from_unix_seconds(1'893'456'000)};
  SeededRandom random_{1};
  Proxy proxy_{settings_of_fuzz(), random_};
  std::vector<std::string> client_said_, client_was_told_, core_was_told_, routes_;
  std::vector<PushId> pushes_;
  std::vector<std::pair<std::string, std::string>> live_;  // username, subject
  int numbers_ = 0;
  int branches_ = 0;
};

}  // namespace
}  // namespace turnpike::epcscf

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::epcscf::World{}.run({data, size});
  return 0;
}
