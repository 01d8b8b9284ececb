#pragma once
// The keys of one issuer as they come and go: when to fetch them, how long they are good, what holds in
// between. Pure: the shell fetches.

#include <chrono>
#include <optional>
#include <string_view>

#include "base/time.hpp"
#include "jose/key_set.hpp"

namespace turnpike::service {

struct IssuerKeysSettings {
  std::chrono::seconds lifetime_default{3600};  // where the answer does not say
  std::chrono::seconds lifetime_min{60};
  std::chrono::seconds lifetime_max{86400};
  // Between two fetches for a key that is not there: tokens of strangers may ask for any.
  std::chrono::seconds unknown_key_interval{10};
  std::chrono::seconds retry_first{1};  // doubles with each failure
  std::chrono::seconds retry_max{300};
};

class IssuerKeys {
 public:
  explicit IssuerKeys(const IssuerKeysSettings& settings, Instant now)
      : settings_(settings), fetch_at_(now) {}

  // The last that were fetched well, however old; null before the first.
  [[nodiscard]] const jose::KeySet* keys() const { return keys_ ? &*keys_ : nullptr; }
  [[nodiscard]] bool is_fetching() const { return is_fetching_; }
  // Nothing while a fetch is under way.
  [[nodiscard]] std::optional<Instant> next_fetch() const;

  enum class Advice : std::uint8_t {
    wait,     // for the fetch that is under way, or that you start now
    believe,  // what the keys say: they are as new as can be
    give_up,  // they cannot be had at the moment
  };
  // A token needs keys that are not there: any at all, or one of another kid.
  [[nodiscard]] Advice on_missing(Instant now) const;

  void on_fetch_started();
  // Without a lifetime where the answer said none.
  void on_fetched(jose::KeySet keys, std::optional<std::chrono::seconds> lifetime, Instant now);
  void on_fetch_failed(Instant now);

 private:
  IssuerKeysSettings settings_;
  std::optional<jose::KeySet> keys_{};
  Instant fetch_at_;
  std::optional<Instant> ended_at_{};  // the last fetch
  bool has_failed_ = false;            // the last fetch
  bool is_fetching_ = false;
  std::chrono::seconds retry_{0};
};

// "max-age" of a Cache-Control field (RFC 9111 section 5.2.2.1); zero for "no-store" and "no-cache".
std::optional<std::chrono::seconds> read_max_age(std::string_view cache_control);

}  // namespace turnpike::service
