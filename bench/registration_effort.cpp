// What a registration costs the two machines of the chain, eP-CSCF and home core, alone: no sockets, no
// threads, no database. The instructions of a registration are the same in every run:
//
//     valgrind --tool=callgrind --toggle-collect='*Chain::ask*' registration_effort 2000
//     registration_effort [registrations]      one line of JSON
#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "epcscf/proxy.hpp"
#include "ims/home_core.hpp"
#include "ims/memory_subscribers.hpp"
#include "sip/digest.hpp"
#include "sip/headers.hpp"

namespace turnpike {
namespace {

constexpr std::string_view domain = "ims.example";
constexpr std::string_view password = "correct-horse-battery";
constexpr std::size_t user_count = 50;
constexpr std::size_t count_default = 20'000;

std::string impi_of(std::size_t user) { return fmt::format("load{}@{}", user, domain); }

// eP-CSCF and home core, joined as their shells join them.
class Chain {
 public:
  Chain() {
    for (std::size_t user = 0; user < user_count; ++user) {
      subscribers_.add_with_password(impi_of(user), domain, password);
      proxy_.on_client_connected(epcscf::FlowId{user + 1},
                                 {.remote = {IpAddress::v4({127, 0, 0, 1}), 40000}, .is_secure = false},
                                 now_);
    }
  }

  // The answer to what a client says. Never inlined: callgrind knows it by its name (--toggle-collect).
  [[gnu::noinline]] std::string ask(std::size_t user, std::string_view request) {
    answer_.clear();
    now_.mono += std::chrono::microseconds{50};
    now_.wall += std::chrono::microseconds{50};
    if (const auto due = proxy_.next_timeout(); due && *due <= now_.mono) proxy_.on_timeout(now_);
    if (const auto due = core_.next_timeout(); due && *due <= now_.mono) core_.on_timeout(now_);
    proxy_.on_client_message(epcscf::FlowId{user + 1}, request, now_);
    pump();
    return std::move(answer_);
  }

 private:
  void pump() {
    for (bool is_busy = true; is_busy;) {
      is_busy = false;
      while (auto effect = proxy_.next_effect()) {
        is_busy = true;
        if (auto* to_core = std::get_if<epcscf::SendToCore>(&*effect))
          core_.on_message(edge_hop_, to_core->bytes, now_);
        else if (auto* to_client = std::get_if<epcscf::SendToClient>(&*effect))
          answer_ = std::move(to_client->bytes);
      }
      while (auto effect = core_.next_effect()) {
        is_busy = true;
        if (auto* sent = std::get_if<ims::SendTo>(&*effect))
          proxy_.on_core_message(core_hop_, sent->bytes, now_);
      }
    }
  }

  const sip::Hop edge_hop_{sip::Transport::tcp, "127.0.0.1", 5070};
  const sip::Hop core_hop_{sip::Transport::tcp, "127.0.0.1", 5090};
  Now now_{.mono = Instant{std::chrono::seconds{1000}},
           .wall = WallTime{std::chrono::seconds{1'800'000'000}}};
  SeededRandom random_{7};
  ims::MemorySubscribers subscribers_;
  ims::HomeCore core_{{.domain = std::string{domain}, .self = core_hop_, .trusted_nodes = {"127.0.0.1"}},
                      subscribers_,
                      random_};
  epcscf::Proxy proxy_{{.home_domain = std::string{domain},
                        .own_host = "127.0.0.1:5070",
                        .core = core_hop_,
                        .has_reg_event = false},
                       random_};
  std::string answer_;
};

// What `turnpike bench-sip` sends.
std::string make_register(std::size_t user, std::uint32_t number, std::string_view authorization) {
  return fmt::format(
      "REGISTER sip:{0} SIP/2.0\r\nVia: SIP/2.0/WS l{1}.invalid;branch=z9hG4bK{1}x{2};rport\r\nMax-Forwards: "
      "70\r\n"
      "From: <sip:load{1}@{0}>;tag=l{1}\r\nTo: <sip:load{1}@{0}>\r\nCall-ID: load{1}\r\n"
      "Supported: path, outbound, gruu\r\nContact: <sip:load{1}@l{1}.invalid;transport=ws>;reg-id=1;"
      "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-{1:012x}>\"\r\nExpires: 3600\r\nContent-Length: "
      "0\r\n"
      "CSeq: {2} REGISTER\r\nAuthorization: {3}\r\n\r\n",
      domain, user, number, authorization);
}

std::string greet(const std::string& impi) {
  return fmt::format("Digest username=\"{0}\", realm=\"{1}\", nonce=\"\", uri=\"sip:{1}\", response=\"\"",
                     impi, domain);
}

std::string prove(const std::string& impi, const sip::Message& challenge) {
  const auto asked = sip::credentials(challenge, sip::HeaderName::www_authenticate);
  check(asked.has_value(), "a 401 has a challenge");
  const std::string uri = fmt::format("sip:{}", domain);
  return *sip::answer_challenge(
      *asked,
      {.username = impi, .password = password, .method = "REGISTER", .uri = uri, .cnonce = "0a4f113b"});
}

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

int run(std::size_t registrations) {
  Chain chain;
  std::uint32_t number = 0;
  double seconds = 0;
  const auto ask = [&](std::size_t user, const std::string& authorization, std::uint16_t expected) {
    const std::string request = make_register(user, ++number, authorization);
    const double began = cpu_seconds();
    std::string answer = chain.ask(user, request);
    seconds += cpu_seconds() - began;
    const auto message = sip::Message::parse(answer);
    check(message.has_value() && message->status_code() == expected, "a REGISTER has its answer");
    return answer;
  };
  for (std::size_t i = 0; i < registrations; ++i) {
    const std::size_t user = i % user_count;
    const std::string impi = impi_of(user);
    const std::string challenge = ask(user, greet(impi), 401);
    (void)ask(user, prove(impi, *sip::Message::parse(challenge)), 200);
  }
  fmt::print("{{\"registrations\": {}, \"us_cpu_per_registration\": {:.2f}}}\n", registrations,
             1e6 * seconds / static_cast<double>(registrations));
  return 0;
}

}  // namespace
}  // namespace turnpike

int main(int count, char** words) {
  std::size_t registrations = turnpike::count_default;
  if (count > 1) {
    const std::string_view text = words[1];
    const auto read = std::from_chars(text.data(), text.data() + text.size(), registrations);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || registrations == 0) {
      fmt::print(stderr, "registrations: found \"{}\", allowed: a number from 1 on\n", text);
      return 2;
    }
  }
  return turnpike::run(registrations);
}
