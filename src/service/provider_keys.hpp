#pragma once
// The keys of one authorization server as a TURN server knows them: when to fetch them, which are accepted,
// what holds in between. Pure: the shell fetches.
//
// The schedule goes by the monotonic clock, and ends of keys are moved by what the two wall clocks differ, so
// that a clock that is wrong, or is set, neither floods the server nor loses a key: what was fetched stays
// until the next good answer, and each key until its own end.

#include <chrono>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "service/stun_keys.hpp"

namespace turnpike::service {

struct ProviderKeysRules {
  std::chrono::seconds refresh_default{3600};  // where the answer does not say
  std::chrono::seconds refresh_min{5};
  std::chrono::seconds refresh_max{86400};
  std::chrono::seconds retry_first{1};  // doubles with each failure
  std::chrono::seconds retry_max{300};
  std::chrono::seconds clock_tolerance{5};  // RFC 7635 section 7: as far as tokens may be off
};

class ProviderKeys {
 public:
  static constexpr std::size_t keys_max = 32;

  ProviderKeys(const ProviderKeysRules& rules, Instant now) : rules_(rules), fetch_at_(now) {}

  // The last good ones, the newest first; some of them may have ended.
  [[nodiscard]] const std::vector<StunKey>& keys() const { return keys_; }
  // Nothing while a fetch is under way.
  [[nodiscard]] std::optional<Instant> next_fetch() const;
  [[nodiscard]] bool is_fetching() const { return is_fetching_; }

  void on_fetch_started() { is_fetching_ = true; }
  struct Taken {
    bool have_changed = false;
    std::vector<std::string> withdrawn{};      // kids that were not known as such before
    std::chrono::seconds clock_difference{0};  // ours is ahead by so much; 0: within the tolerance
  };
  // `their_time` is when they say that the answer was made. A sentence where no key of the answer is good:
  // that counts as a failure.
  std::expected<Taken, std::string> on_fetched(StunKeys answer, std::optional<WallTime> their_time, Now now,
                                               Random& random);
  void on_fetch_failed(Instant now, Random& random);

  void ask_at(Instant at);               // for those who do not want to wait
  void take(std::vector<StunKey> keys);  // that a former process has fetched
  void forget_keys() { keys_.clear(); }

 private:
  void plan(const StunKeys& answer, WallTime their_now, Instant now, Random& random);
  bool merge(std::vector<StunKey> keys, const std::vector<std::string>& withdrawn, WallTime wall);

  ProviderKeysRules rules_;
  std::vector<StunKey> keys_{};
  std::deque<std::string> withdrawn_{};  // the last ones
  Instant fetch_at_;
  bool is_fetching_ = false;
  std::chrono::seconds retry_{0};
};

}  // namespace turnpike::service
