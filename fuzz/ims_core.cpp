// Any messages to a home core, from a trusted edge, another one and a stranger, with time in between: what
// leaves is a message, nothing grows beyond its limit, and in the end all of it is forgotten.
//
// Input: messages with a NUL between them. The first byte of each says from whom (modulo 3) and, divided by
// 3, how many seconds pass before.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "base/random.hpp"
#include "ims/home_core.hpp"
#include "ims/memory_subscribers.hpp"
#include "sip/headers.hpp"
#include "target.hpp"

namespace turnpike::ims {
namespace {

constexpr std::size_t transactions_max = 64;
constexpr std::size_t hops_max = 16;
constexpr std::size_t subscriptions_max = 8;

Settings settings() {
  Settings settings{.domain = "ims.example",
                    .self = {.transport = sip::Transport::udp, .host = "127.0.0.1", .port = 5090},
                    .trusted_nodes = {"127.0.0.2"}};
  settings.limits.transactions.transactions_max = transactions_max;
  settings.limits.hops_max = hops_max;
  settings.limits.subscriptions_max = subscriptions_max;
  return settings;
}

const std::array<sip::Hop, 3> peers{
    sip::Hop{.transport = sip::Transport::udp, .host = "127.0.0.2", .port = 5080},
    sip::Hop{.transport = sip::Transport::tcp, .host = "127.0.0.3", .port = 5080},
    sip::Hop{.transport = sip::Transport::udp, .host = "192.0.2.66", .port = 5060}};

class World {
 public:
  World() {
    for (const std::string_view user : {"alice", "bob"})
      subscribers_.add_with_password(std::string{user} + "@ims.example", "ims.example", "secret");
    const std::array<Byte, 16> key{1};
    subscribers_.add({.impi = "card@ims.example",
                      .impus = {"sip:card@ims.example", "tel:+4930123"},
                      .aka = AkaSecret{.k = Secret{key}, .opc = Secret{key}}});
  }
  void give(std::string_view part) {
    const auto first = static_cast<std::uint8_t>(part.front());
    advance(std::chrono::seconds{first / 3});
    core_.on_message(peers[first % 3], part.substr(1), now_);
    drain();
  }
  void end() {
    advance(std::chrono::hours{24 * 8});
    check(core_.registrations().size() == 0, "a registration is never forgotten");
    check(core_.subscription_count() == 0, "a subscription is never forgotten");
    check(core_.transaction_count() == 0, "a transaction is never forgotten");
    check(!core_.next_timeout(), "time goes on for nothing");
  }

 private:
  void advance(Duration by) {
    const Instant until = now_.mono + by;
    while (const auto at = core_.next_timeout()) {
      if (*at > until) break;
      now_.wall += *at - now_.mono;
      now_.mono = *at;
      core_.on_timeout(now_);
      drain();
    }
    now_.wall += until - now_.mono;
    now_.mono = until;
  }
  void drain() {
    while (const auto effect = core_.next_effect())
      if (const auto* sent = std::get_if<SendTo>(&*effect))
        check(sip::Message::parse(sent->bytes).has_value(), "what is sent does not parse");
    check(core_.transaction_count() <= transactions_max, "too many transactions");
    check(core_.subscription_count() <= subscriptions_max, "too many subscriptions");
    check(core_.registrations().size() <= 3, "somebody registered who is no subscriber");
  }

  MemorySubscribers subscribers_;
  SeededRandom random_{1};
  HomeCore core_{settings(), subscribers_, random_};
  Now now_{.mono = Instant{std::chrono::seconds{1}}, .wall = WallTime{std::chrono::seconds{1'800'000'000}}};
};

}  // namespace
}  // namespace turnpike::ims

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  if (rest.size() > 16384) return 0;
  turnpike::ims::World world;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    if (end > 0) world.give(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  world.end();
  return 0;
}
