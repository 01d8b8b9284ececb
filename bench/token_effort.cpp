// What a TURN token (RFC 7635) costs the one that mints it and the relay that verifies it, in both wire
// forms: CPU time of one core, without a network. The relay has seen none of the tokens before, and checks
// the integrity of an Allocate request under the key that it finds.
//
//     token_effort [tokens]      a line for each kind, with its mark; exit status 1 where one is missed
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "base/crypto.hpp"
#include "base/random.hpp"
#include "credentials/issue.hpp"
#include "credentials/registry.hpp"
#include "waf/mint.hpp"

namespace turnpike {
namespace {

constexpr double mint_us_max = 10;
constexpr double verify_us_max = 5;
constexpr std::size_t count_default = 20'000;
constexpr int rounds =
    5;  // the least counts: other work on the machine adds to a time and takes nothing from it
constexpr std::chrono::seconds lifetime{600};
constexpr std::string_view realm = "ims.example";
constexpr std::size_t request_bytes = 120;  // an Allocate with its attributes
const WallTime now = from_unix_seconds(1'800'000'000);

credentials::TokenSettings token_settings() {
  return {
      .server_name = "turn.ims.example",
      .keys = {{.kid = "k1", .key = Secret::from_text("HGkj32KJGiuy098sdfaqbNjOiaz71923"), .derives = true}}};
}

double cpu_us() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

// The least CPU time of `count` runs of `work`, each divided by the count. `prepare` is not measured.
template <typename Prepare, typename Work>
double measure(std::size_t count, Prepare prepare, Work work) {
  double least = 0;
  for (int round = 0; round < rounds; ++round) {
    auto ready = prepare();
    const double began = cpu_us();
    for (std::size_t i = 0; i < count; ++i) work(ready, i);
    const double took = (cpu_us() - began) / static_cast<double>(count);
    least = round == 0 ? took : std::min(least, took);
  }
  return least;
}

class Report {
 public:
  void tell(std::string_view what, double us, double us_max) {
    const bool is_met = us < us_max;
    all_met_ = all_met_ && is_met;
    fmt::print("{:44} {:6.2f} us CPU, {:9.0f} per second and core   < {:2.0f} us  {}\n", what, us, 1e6 / us,
               us_max, is_met ? "met" : "MISSED");
  }
  [[nodiscard]] bool all_met() const { return all_met_; }

 private:
  bool all_met_ = true;
};

std::string subject_of(std::size_t number) { return fmt::format("subject{:09}", number); }

void tell_minting(Report& report, std::size_t count) {
  const credentials::TokenSettings settings = token_settings();
  const waf::TurnTarget target{.token = settings};
  SeededRandom random{7};
  const auto tell = [&](std::string_view what, auto mint) {
    const auto subjects = [&] {
      std::vector<std::string> all;
      all.reserve(count);
      for (std::size_t i = 0; i < count; ++i) all.push_back(subject_of(i));
      return all;
    };
    const double us = measure(count, subjects, [&](const std::vector<std::string>& subject, std::size_t i) {
      check(mint(subject[i]).has_value(), "a key of the settings is valid");
    });
    report.tell(what, us, mint_us_max);
  };
  tell("mint, native form, plain kid",
       [&](const std::string&) { return issue_token(settings, "", now, lifetime, random); });
  tell("mint, native form, derived kid",
       [&](const std::string& subject) { return issue_token(settings, subject, now, lifetime, random); });
  tell("mint, browser form", [&](const std::string& subject) {
    return issue_browser_token(settings, {.subject = subject, .policy = {}}, now, lifetime, random);
  });
  tell("mint, as the WAF does: both forms and ids", [&](const std::string& subject) {
    return waf::mint_turn_token(target, subject, now, lifetime, random);
  });
}

// A request that shows a token, signed (RFC 8489 section 14.5).
struct Shown {
  std::string username;
  ByteVector token;  // empty: the browser form
  crypto::Sha1 mac;
};

const ByteVector& request() {
  static const ByteVector bytes(request_bytes, Byte{0x5a});
  return bytes;
}

std::vector<Shown> show_native(std::size_t count, bool is_derived) {
  SeededRandom random{8};
  std::vector<Shown> all;
  for (std::size_t i = 0; i < count; ++i) {
    const auto token = issue_token(token_settings(), is_derived ? subject_of(i) : "", now, lifetime, random);
    all.push_back({token->kid, token->access_token, crypto::hmac_sha1(token->mac_key.reveal(), request())});
  }
  return all;
}

std::vector<Shown> show_browser(std::size_t count) {
  SeededRandom random{9};
  std::vector<Shown> all;
  for (std::size_t i = 0; i < count; ++i) {
    const auto issued = issue_browser_token(token_settings(), {.subject = subject_of(i), .policy = {}}, now,
                                            lifetime, random);
    const auto key = credentials::make_long_term_key(credentials::PasswordAlgorithm::md5, issued->username,
                                                     realm, issued->password.reveal_text());
    all.push_back({issued->username, {}, crypto::hmac_sha1(key.reveal(), request())});
  }
  return all;
}

void tell_verifying(Report& report, std::size_t count) {
  const auto tell = [&](std::string_view what, const std::vector<Shown>& shown) {
    const auto relay = [] {
      return credentials::Registry{{.realm = std::string{realm}, .token = token_settings()}};
    };
    const double us = measure(count, relay, [&](credentials::Registry& registry, std::size_t i) {
      const Shown& one = shown[i];
      const auto grant = registry.authenticate(
          {.realm = realm, .username = one.username, .token = one.token},
          [&](Bytes key) {
            return crypto::equal_in_constant_time(crypto::hmac_sha1(key, request()), one.mac);
          },
          now);
      check(grant.has_value(), "the relay accepts the token");
    });
    report.tell(what, us, verify_us_max);
  };
  tell("verify, native form, plain kid", show_native(count, false));
  tell("verify, native form, derived kid", show_native(count, true));
  tell("verify, browser form", show_browser(count));
}

}  // namespace
}  // namespace turnpike

int main(int argument_count, char** arguments) {
  std::size_t count = turnpike::count_default;
  if (argument_count > 1) {
    const std::string_view text = arguments[1];
    const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || count == 0) {
      fmt::print(stderr, "tokens: found \"{}\", allowed: a number from 1 on\n", text);
      return 2;
    }
  }
  turnpike::Report report;
  turnpike::tell_minting(report, count);
  turnpike::tell_verifying(report, count);
  return report.all_met() ? 0 : 1;
}
