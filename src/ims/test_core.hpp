#pragma once
// For tests: a home core with subscribers, and an edge proxy that speaks to it for its users.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/random.hpp"
#include "ims/home_core.hpp"
#include "ims/memory_subscribers.hpp"
#include "sip/digest.hpp"
#include "sip/headers.hpp"
#include "sip/writer.hpp"

namespace turnpike::ims::test {

using std::chrono::seconds;

inline constexpr std::string_view domain = "ims.example";
inline const sip::Hop core_hop{.transport = sip::Transport::udp, .host = "127.0.0.1", .port = 5090};
inline const sip::Hop edge_hop{.transport = sip::Transport::udp, .host = "127.0.0.2", .port = 5080};
inline const sip::Hop other_edge_hop{.transport = sip::Transport::tcp, .host = "127.0.0.3", .port = 5080};
inline const sip::Hop stranger_hop{.transport = sip::Transport::udp, .host = "192.0.2.66", .port = 5060};

inline Settings settings() {
  return {.domain = std::string{domain}, .self = core_hop, .trusted_nodes = {edge_hop.host}};
}

// A message that came out, with what it is made of.
struct Sent {
  sip::Hop to;
  std::string text;

  // The text must outlive what is read.
  [[nodiscard]] sip::Message message() const {
    auto parsed = sip::Message::parse(text);
    check(parsed.has_value(), "the core sent what does not parse");
    return *parsed;
  }
  [[nodiscard]] int status() const { return message().status_code(); }
  [[nodiscard]] std::string value(std::string_view name) const {
    const auto parsed = message();
    const auto header = parsed.find(name);
    return header ? std::string{header->value} : std::string{};
  }
  [[nodiscard]] std::vector<std::string> values(std::string_view name) const {
    std::vector<std::string> found;
    const auto parsed = message();
    for (std::size_t row = 0; row < parsed.header_count(); ++row)
      if (parsed.header(row).is_named(name)) found.emplace_back(parsed.header(row).value);
    return found;
  }
};

struct RegisterText {
  std::string impu = "sip:alice@ims.example";
  std::string authorization{};  // the value; empty: none
  std::string contact = "<sip:alice@a1.invalid;transport=ws>";
  std::string rows = "Supported: path, outbound\r\nExpires: 3600\r\n";
  sip::Hop edge = edge_hop;
  std::string call_id = "r1";
};

class World {
 public:
  explicit World(Settings core_settings = settings()) : core(std::move(core_settings), subscribers, random_) {
    for (const std::string_view user : {"alice", "bob", "carol"})
      subscribers.add_with_password(std::string{user} + "@ims.example", domain,
                                    std::string{user} + " secret");
  }

  MemorySubscribers subscribers;
  Now now{.mono = Instant{seconds{1000}}, .wall = WallTime{seconds{1'800'000'000}}};

 private:
  SeededRandom random_{7};
  int last_number_ = 0;

 public:
  HomeCore core;
  std::vector<RegistrationReport> changes;
  std::vector<RefusalReport> refusals;

  void give(const sip::Hop& from, std::string_view text) { core.on_message(from, text, now); }
  std::vector<Sent> take() {
    std::vector<Sent> sent;
    while (auto effect = core.next_effect()) {
      if (auto* message = std::get_if<SendTo>(&*effect))
        sent.push_back({message->to, std::move(message->bytes)});
      else if (auto* change = std::get_if<RegistrationReport>(&*effect))
        changes.push_back(std::move(*change));
      else
        refusals.push_back(std::get<RefusalReport>(*std::move(effect)));
    }
    return sent;
  }
  Sent take_one() {
    auto sent = take();
    check(sent.size() == 1, "exactly one message was expected");
    return std::move(sent.front());
  }
  Sent ask(const sip::Hop& from, std::string_view text) {
    give(from, text);
    return take_one();
  }
  // Time goes on to each timeout in between.
  void advance(Duration by) {
    const Instant until = now.mono + by;
    while (const auto at = core.next_timeout()) {
      if (*at > until) break;
      step_to(*at);
      core.on_timeout(now);
    }
    step_to(until);
    core.on_timeout(now);
  }

  std::string branch() { return "z9hG4bK" + std::to_string(++last_number_); }
  std::string via(const sip::Hop& edge) {
    return "Via: SIP/2.0/" + std::string{sip::to_string(edge.transport)} + ' ' + edge.host + ':' +
           std::to_string(edge.port) + ";branch=" + branch() + "\r\n";
  }
  static std::string path_of(const sip::Hop& edge, std::string_view token) {
    return "<sip:" + std::string{token} + '@' + edge.host + ':' + std::to_string(edge.port) +
           (edge.transport == sip::Transport::tcp ? ";transport=tcp" : "") + ";lr;ob>";
  }
  std::string register_text(const RegisterText& wish) {
    std::string text = "REGISTER sip:ims.example SIP/2.0\r\n" + via(wish.edge);
    text += "Max-Forwards: 69\r\nFrom: <" + wish.impu + ">;tag=f\r\nTo: <" + wish.impu + ">\r\n";
    text += "Call-ID: " + wish.call_id + "\r\nCSeq: " + std::to_string(last_number_) + " REGISTER\r\n";
    text += "Path: " + path_of(wish.edge, "flow" + wish.impu.substr(4, wish.impu.find('@') - 4)) + "\r\n";
    text += "Require: path\r\n";
    if (!wish.contact.empty()) text += "Contact: " + wish.contact + "\r\n";
    if (!wish.authorization.empty()) text += "Authorization: " + wish.authorization + "\r\n";
    return text + wish.rows + "Content-Length: 0\r\n\r\n";
  }
  // The answer to the last of both REGISTERs.
  Sent register_with_password(RegisterText wish, std::string_view password,
                              std::string_view algorithm = "MD5") {
    const Sent challenge = ask(wish.edge, register_text(wish));
    check(challenge.status() == 401, "a challenge was expected");
    wish.authorization = answer(challenge, wish.impu.substr(4), password, algorithm);
    return ask(wish.edge, register_text(wish));
  }
  static std::string answer(const Sent& challenge, std::string_view impi, std::string_view password,
                            std::string_view algorithm = "MD5", std::uint32_t nonce_count = 1) {
    for (const std::string& row : challenge.values("WWW-Authenticate")) {
      const auto credentials = sip::Credentials::parse(row);
      if (!credentials || credentials->text("algorithm") != algorithm) continue;
      return *sip::answer_challenge(*credentials, {.username = impi,
                                                   .password = password,
                                                   .method = "REGISTER",
                                                   .uri = "sip:ims.example",
                                                   .cnonce = "c0ffee",
                                                   .nonce_count = nonce_count});
    }
    check(false, "no challenge with that algorithm");
    return {};
  }
  Sent register_user(std::string_view user, const sip::Hop& edge = edge_hop) {
    const std::string name{user};
    return register_with_password({.impu = "sip:" + name + "@ims.example",
                                   .contact = "<sip:" + name + "@" + name + "1.invalid;transport=ws>",
                                   .edge = edge,
                                   .call_id = "r" + name},
                                  name + " secret");
  }
  // Out of a dialog, from a user through its Service-Route.
  std::string request_text(std::string_view method, std::string_view from_user, std::string_view target,
                           const sip::Hop& edge = edge_hop, std::string_view rows = {}) {
    const std::string from = "sip:" + std::string{from_user} + "@ims.example";
    std::string text = std::string{method} + ' ' + std::string{target} + " SIP/2.0\r\n" + via(edge);
    text += "Route: <sip:orig@127.0.0.1:5090;lr>\r\nMax-Forwards: 69\r\n";
    text += "From: <" + from + ">;tag=f1\r\nTo: <" + std::string{target} + ">\r\nCall-ID: c1\r\n";
    text += "CSeq: 1 " + std::string{method} + "\r\nP-Asserted-Identity: <" + from + ">\r\n";
    text += "Contact: <" + from + ">\r\n";
    return text + std::string{rows} + "Content-Length: 0\r\n\r\n";
  }

 private:
  void step_to(Instant at) {
    now.wall += at - now.mono;
    now.mono = at;
  }
};

// The answer of the far end to a request that the core forwarded.
inline std::string response_to(const Sent& request, int status, std::string_view rows = {}) {
  const auto message = request.message();
  sip::Writer writer = sip::Writer::response(static_cast<std::uint16_t>(status));
  for (const auto name : {sip::HeaderName::via, sip::HeaderName::record_route, sip::HeaderName::from})
    writer.copy(message, name);
  const auto to = message.find(sip::HeaderName::to);
  std::string value{to->value};
  if (value.find(";tag=") == std::string::npos) value += ";tag=far";
  writer.add(sip::HeaderName::to, value);
  writer.copy(message, sip::HeaderName::call_id).copy(message, sip::HeaderName::cseq);
  std::string text = writer.finish();
  return text.insert(text.size() - 2, rows);
}

}  // namespace turnpike::ims::test
