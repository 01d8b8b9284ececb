#pragma once
// For tests: an eP-CSCF whose WICs, core, relays and token checker are played by hand.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/random.hpp"
#include "epcscf/proxy.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"
#include "sip/message.hpp"
#include "sip/text.hpp"

namespace turnpike::epcscf::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr FlowId alice_flow{1};
inline constexpr FlowId bob_flow{2};
inline const sip::Hop core{.transport = sip::Transport::udp, .host = "192.0.2.10", .port = 5060};
inline const WallTime start = from_unix_seconds(1'893'456'000);

inline Settings make_settings() {
  Settings settings;
  settings.home_domain = "ims.example";
  settings.own_host = "epcscf.ims.example:5070";
  settings.core = core;
  settings.visited_network = "ims.example";
  settings.bearer = {.authorization_server = "https://waf.example/",
                     .scope = {},
                     .issuers = {{.name = "https://waf.example/", .is_third_party = false},
                                 {.name = "https://other.example/", .is_third_party = true}},
                     .wwsfs = {{.name = "shop", .pool = {"*@pool.example"}}}};
  settings.provisioning = provisioning::Settings{
      .realm = "ims.example",
      .uris = {"turn:turn1.ims.example:3478?transport=udp"},
      .sources = {credentials::Source::computed},
      .computed = credentials::ComputedSettings{.secrets = {{.id = {}, .secret = Secret::from_text("s")}}},
      .token = std::nullopt,
      .policy = {},
      .opaque_id_key = Secret::from_text("opaque"),
      .life = {}};
  return settings;
}
inline Settings make_pushing_settings() {
  Settings settings = make_settings();
  settings.provisioning->sources = {credentials::Source::pushed, credentials::Source::computed};
  return settings;
}

// The values of a header in all its rows, and whether a parameter or text stands in them.
inline std::string value(std::string_view text, std::string_view name) {
  const auto message = sip::Message::parse(text);
  check(message.has_value(), "a message of the test does not parse");
  std::string found;
  for (std::size_t row = 0; row < message->header_count(); ++row)
    if (message->header(row).is_named(name))
      found += (found.empty() ? "" : ", ") + std::string{message->header(row).value};
  return found;
}
inline int status(std::string_view text) {
  const auto message = sip::Message::parse(text);
  return message ? message->status_code() : -1;
}
inline bool holds(std::string_view text, std::string_view part) {
  return sip::to_lower(text).find(sip::to_lower(part)) != std::string::npos;
}

struct Ask {
  std::string user = "alice@ims.example";
  std::string from{};  // empty: the user
  std::string authorization{};
  std::string rows = "Turn-Credentials: request\r\n";
  std::string expires = "600";
  std::string instance = "urn:uuid:1";
  std::string contact{};  // empty: of the user and the instance
};

inline std::string contact_of(const Ask& ask) {
  if (!ask.contact.empty()) return ask.contact;
  return "<sip:" + ask.user.substr(0, ask.user.find('@')) +
         "@df7jal.invalid;transport=ws>;reg-id=1;+sip.instance=\"<" + ask.instance + ">\"";
}

inline const std::string digest_answer =
    "Digest username=\"alice@ims.example\", realm=\"ims.example\", nonce=\"n\", uri=\"sip:ims.example\", "
    "response=\"0123456789abcdef0123456789abcdef\", qop=auth, cnonce=\"c\", nc=00000001";

class World {
 public:
  explicit World(Settings settings = make_settings()) : proxy(std::move(settings), random) {
    now = {Instant{seconds{1000}}, start};
    connect(alice_flow);
  }

  // --- WICs ---
  void connect(FlowId flow, bool is_secure = true) {
    proxy.on_client_connected(
        flow, {.remote = *SocketAddress::parse("198.51.100.7:4711"), .is_secure = is_secure, .origin = {}},
        now);
  }
  void close(FlowId flow) {
    proxy.on_client_closed(flow, now);
    drain();
  }
  void send(std::string_view text, FlowId flow = alice_flow) {
    proxy.on_client_message(flow, text, now);
    drain();
  }
  std::string make_register(const Ask& ask = {}) {
    const std::string from = ask.from.empty() ? ask.user : ask.from;
    std::string text = "REGISTER sip:ims.example SIP/2.0\r\n";
    text += "Via: SIP/2.0/WSS df7jal.invalid;branch=z9hG4bK" + next_word() + ";rport\r\n";
    text += "Max-Forwards: 70\r\nFrom: <sip:" + from + ">;tag=65bnmj\r\nTo: <sip:" + ask.user + ">\r\n";
    text += "Call-ID: aiuy7k9njasd\r\nCSeq: " + std::to_string(++numbers_) + " REGISTER\r\n";
    text += "Supported: path, outbound, gruu\r\nContact: " + contact_of(ask) + "\r\n";
    if (!ask.authorization.empty()) text += "Authorization: " + ask.authorization + "\r\n";
    if (!ask.expires.empty()) text += "Expires: " + ask.expires + "\r\n";
    return text + ask.rows + "\r\n";
  }
  // Gives the 200 as the WIC sees it; the registration is complete, but for what is held for a push.
  std::string enroll(const Ask& asked = {}, FlowId flow = alice_flow, std::string_view rows = {}) {
    Ask ask = asked;
    if (ask.authorization.empty()) {
      ask.authorization = digest_answer;
      if (const std::size_t at = ask.authorization.find("alice@ims.example"); at != std::string::npos)
        ask.authorization.replace(at, std::string_view{"alice@ims.example"}.size(), ask.user);
    }
    send(make_register(ask), flow);
    answer_core(take_core("REGISTER"), 200, make_accepted(ask, rows));
    return take_client(flow);
  }
  std::string make_accepted(const Ask& ask = {}, std::string_view rows = {}) {
    return "Contact: " + contact_of(ask) + ";expires=" + ask.expires +
           "\r\nService-Route: <sip:orig@scscf.ims.example:6060;lr>\r\nP-Associated-URI: <sip:" + ask.user +
           ">, <tel:+15550100>\r\nP-Charging-Function-Addresses: ccf=192.0.2.20\r\n"
           "P-Charging-Vector: icid-value=\"x\"\r\n" +
           std::string{rows};
  }

  // --- the core ---
  void core_says(std::string_view text) {
    proxy.on_core_message(core, text, now);
    drain();
  }
  // Answers a request that the core was sent.
  void answer_core(const std::string& request, std::uint16_t status_code, std::string_view rows = {}) {
    core_says(answer_text(request, status_code, rows));
  }
  void answer_client(const std::string& request, std::uint16_t status_code, FlowId flow,
                     std::string_view rows = {}) {
    send(answer_text(request, status_code, rows), flow);
  }
  static std::string answer_text(const std::string& request, std::uint16_t status_code,
                                 std::string_view rows) {
    const auto message = sip::Message::parse(request);
    check(message.has_value(), "a request of the proxy does not parse");
    std::string text = sip::make_response(*message, status_code, "far").finish();
    text.insert(text.find("Content-Length"), rows);
    return text;
  }

  void advance(Duration by) {
    now.mono += by;
    now.wall += by;
    proxy.on_timeout(now);
    drain();
  }

  // --- what the proxy wanted ---
  std::string take_core() { return take_first(to_core, "nothing was sent to the core"); }
  std::string take_client(FlowId flow = alice_flow) {
    for (auto at = to_client.begin(); at != to_client.end(); ++at)
      if (at->first == flow) {
        std::string text = std::move(at->second);
        to_client.erase(at);
        return text;
      }
    ADD_FAILURE() << "nothing was sent to the client";
    return "SIP/2.0 100 Nothing\r\n\r\n";
  }
  template <typename Wanted>
  std::optional<Wanted> take_report() {
    for (auto at = reports.begin(); at != reports.end(); ++at)
      if (const auto* found = std::get_if<Wanted>(&*at)) {
        Wanted report = *found;
        reports.erase(at);
        return report;
      }
    return std::nullopt;
  }

  void drain() {
    while (auto effect = proxy.next_effect()) {
      if (auto* client = std::get_if<SendToClient>(&*effect)) {
        EXPECT_FALSE(holds(client->bytes, "P-Charging")) << client->bytes;
        to_client.emplace_back(client->flow, std::move(client->bytes));
      } else if (auto* sent = std::get_if<SendToCore>(&*effect)) {
        EXPECT_FALSE(holds(sent->bytes, "turn-credentials")) << sent->bytes;
        hops.push_back(sent->to);
        to_core.push_back(std::move(sent->bytes));
      } else if (auto* closed = std::get_if<CloseClient>(&*effect)) {
        closes.push_back(std::move(*closed));
      } else if (auto* push = std::get_if<PushCredential>(&*effect)) {
        pushes.push_back(std::move(*push));
      } else if (auto* revoke = std::get_if<RevokeCredentials>(&*effect)) {
        revocations.push_back(std::move(revoke->revocation));
      } else if (auto* check_token = std::get_if<CheckToken>(&*effect)) {
        checks.push_back(std::move(*check_token));
      } else {
        reports.push_back(std::get<Report>(*std::move(effect)));
      }
    }
  }
  // A SUBSCRIBE, or another request, behind the first that was sent.
  std::string take_core(std::string_view method) {
    for (auto at = to_core.begin(); at != to_core.end(); ++at)
      if (at->starts_with(method)) {
        std::string text = std::move(*at);
        to_core.erase(at);
        return text;
      }
    ADD_FAILURE() << "no " << method << " was sent to the core";
    return "OPTIONS sip:nothing SIP/2.0\r\n\r\n";
  }
  std::string next_word() { return "w" + std::to_string(++words_); }

  SeededRandom random{7};
  Now now{};
  Proxy proxy;
  std::vector<std::string> to_core;
  std::vector<sip::Hop> hops;
  std::vector<std::pair<FlowId, std::string>> to_client;
  std::vector<CloseClient> closes;
  std::vector<PushCredential> pushes;
  std::vector<credentials::Revocation> revocations;
  std::vector<CheckToken> checks;
  std::vector<Report> reports;

 private:
  static std::string take_first(std::vector<std::string>& from, const char* complaint) {
    if (from.empty()) {
      ADD_FAILURE() << complaint;
      return "OPTIONS sip:nothing SIP/2.0\r\n\r\n";
    }
    std::string text = std::move(from.front());
    from.erase(from.begin());
    return text;
  }
  int numbers_ = 0;
  int words_ = 0;
};

}  // namespace turnpike::epcscf::test
