#pragma once
// For tests: a WicAgent whose flow and whose far side are played by hand. No product code may use it.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/random.hpp"
#include "client/wic_agent.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"

namespace turnpike::client::test {

inline WicAgentSettings alice(std::string_view user = "alice") {
  return {.identity = "sip:" + std::string{user} + "@ims.example",
          .login = DigestLogin{.username = std::string{user} + "@ims.example",
                               .password = Secret::from_text("wonderland")}};
}

inline constexpr std::string_view md5_challenge =
    "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n";
inline constexpr std::string_view both_challenges =
    "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n"
    "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"n2\", algorithm=SHA-256, qop=\"auth\"\r\n";

class WicScript {
 public:
  explicit WicScript(WicAgentSettings settings = alice(), std::uint64_t seed = 1)
      : random_(seed), agent(std::move(settings), random_) {}

  void open() { agent.on_flow_opened(now); }
  // Messages that were sent since the last call; other effects are kept.
  std::vector<std::string> take_sent() {
    drain();
    return std::exchange(sent_, {});
  }
  std::string take_one() {
    auto sent = take_sent();
    check(sent.size() == 1, "exactly one message was expected");
    return sent.front();
  }
  template <typename Effect>
  std::optional<Effect> take() {
    drain();
    for (auto at = effects_.begin(); at != effects_.end(); ++at)
      if (auto* found = std::get_if<Effect>(&*at)) {
        Effect effect = std::move(*found);
        effects_.erase(at);
        return effect;
      }
    return std::nullopt;
  }
  // Answers a request of the agent's.
  void respond(const std::string& request, std::uint16_t code, std::string_view rows = {},
               std::string_view body = {}) {
    const auto message = sip::Message::parse(request);
    check(message.has_value(), "the agent's request does not parse");
    std::string text = sip::make_response(*message, code, "far").finish();
    text.insert(text.find("Content-Length"), rows);
    if (!body.empty())
      text.replace(text.find("Content-Length: 0"), 17, "Content-Length: " + std::to_string(body.size()));
    agent.on_message(text + std::string{body}, now);
  }
  // With the Contact that was asked for.
  void accept(const std::string& request, std::string_view rows = {}, std::string_view expires = "3600",
              std::string_view body = {}) {
    const auto message = sip::Message::parse(request);
    const auto contact = message->find(sip::HeaderName::contact);
    respond(request, 200,
            "Contact: " + std::string{contact->value} + ";expires=" + std::string{expires} + "\r\n" +
                std::string{rows},
            body);
  }
  void advance(Duration by) {
    now.mono += by;
    now.wall += by;
    agent.on_timeout(now);
  }
  // Registers, with a single challenge.
  void enter(std::string_view rows = {}, std::string_view expires = "3600") {
    open();
    agent.start(now);
    respond(take_one(), 401, md5_challenge);
    accept(take_one(), rows, expires);
    check(agent.is_registered(), "the agent has registered");
    check(take<WicRegistered>().has_value(), "and has said so");
  }

 private:
  void drain() {
    while (auto effect = agent.next_effect()) {
      if (auto* send = std::get_if<WicSend>(&*effect))
        sent_.push_back(std::move(send->bytes));
      else
        effects_.push_back(*std::move(effect));
    }
  }
  SeededRandom random_;
  std::vector<std::string> sent_;
  std::vector<WicEffect> effects_;

 public:
  WicAgent agent;
  Now now{.wall = from_unix_seconds(1'800'000'000)};
};

inline std::string value_of(const std::string& text, std::string_view name) {
  const auto message = sip::Message::parse(text);
  check(message.has_value(), "the message does not parse");
  const auto header = message->find(name);
  return header ? std::string{header->value} : std::string{};
}

// A registrar: challenges what has no response, and takes everything else.
inline std::vector<std::string> register_all(const std::string& text) {
  const auto request = sip::Message::parse(text);
  if (!request || request->method() != sip::Method::registration) return {};
  const std::string login = value_of(text, "Authorization");
  if (login.find("response=\"\"") != std::string::npos) {
    auto challenge = sip::make_response(*request, 401, "far");
    for (const char* algorithm : {"SHA-256", "MD5"})
      challenge.add(
          sip::HeaderName::www_authenticate,
          std::string{"Digest realm=\"ims.example\", nonce=\"n\", qop=\"auth\", algorithm="} + algorithm);
    return {challenge.finish()};
  }
  auto ok = sip::make_response(*request, 200, "far");
  ok.add(sip::HeaderName::contact, value_of(text, "Contact") + ";expires=1800");
  if (value_of(text, "Turn-Credentials") == "request")
    ok.add(sip::HeaderName::turn_credentials,
           "<turn:127.0.0.1:9>;username=\"1900000000:u\";password=\"secret-word\";ttl=1860;realm=\"ims."
           "example\"");
  return {ok.finish()};
}

}  // namespace turnpike::client::test
