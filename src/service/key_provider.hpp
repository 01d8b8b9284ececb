#pragma once
// KeyProvider fetches the keys of one authorization server over HTTPS with certificates on both sides (RFC
// 7635 section 4.1.1), as ProviderKeys says: at the start, before they end, and after failures later and
// later. Files are read at each fetch, so that a new certificate counts at once.
//
// It is used on its loop's thread, or before and after that runs.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "service/http_client.hpp"
#include "service/loop.hpp"
#include "service/provider_keys.hpp"

namespace turnpike::service {

class Alarm;

struct KeyProviderSettings {
  std::string name{};              // by which operators call it
  std::string url{};               // "https://HOST:PORT"
  std::string certificate_file{};  // PEM: what we show of ourselves
  std::string key_file{};
  std::string ca_file{};      // who may vouch for the other side
  std::string state_file{};   // where the last good keys outlive the process; empty: nowhere
  std::string server_name{};  // of this TURN server
  StunKeyRules answer{};      // its kid_prefix tells this provider's keys from all others
  bool derives = true;        // its keys are masters of further ones, too
  bool is_withdrawn = false;  // by the configuration: nothing of it is accepted, nor fetched
  ProviderKeysRules schedule{};
  std::chrono::milliseconds deadline{5000};
};

struct KeyProviderStatus {
  bool is_fetching = false;
  std::optional<Duration> next_fetch_in{};
  std::optional<WallTime> fetched_at{};      // the last good answer; of a former process, too
  std::uint64_t fetches = 0, failures = 0;   // that were answered well, and the others
  std::string problem{};                     // of the last fetch; empty: it went well
  std::chrono::seconds clock_difference{0};  // ours is ahead of theirs
};

class KeyProvider {
 public:
  struct Hooks {
    std::function<void(const ProviderKeys::Taken&)> on_fetched;
    std::function<void(const std::string& problem)> on_failed;
  };
  // Loop, randomness and hooks outlive it. Nothing is fetched before start().
  KeyProvider(Loop& loop, KeyProviderSettings settings, Random& random, Hooks hooks);
  KeyProvider(const KeyProvider&) = delete;
  KeyProvider& operator=(const KeyProvider&) = delete;
  ~KeyProvider();

  // A sentence where a file cannot be used.
  static std::expected<void, std::string> try_files(Loop& loop, const KeyProviderSettings& settings);

  void start();
  void stop();  // until the next start; an answer that is on its way is not taken
  void fetch_now();
  void take(std::vector<StunKey> keys, WallTime fetched_at);  // of a former process
  void forget_keys() { keys_.forget_keys(); }

  [[nodiscard]] const KeyProviderSettings& settings() const { return settings_; }
  [[nodiscard]] const std::vector<StunKey>& keys() const { return keys_.keys(); }
  [[nodiscard]] KeyProviderStatus status(Instant now) const;

 private:
  void plan();
  void fetch();
  void on_answer(const HttpAnswer& answer);
  void fail(std::string problem, Now now);

  Loop& loop_;
  KeyProviderSettings settings_;
  Random& random_;
  Hooks hooks_;
  ProviderKeys keys_;
  KeyProviderStatus status_{};
  bool is_started_ = false;
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<HttpClient> client_{};  // of the last fetch
};

// "https://waf.ims.example:8446/.well-known/stun-key?service=stun&name=turn1.ims.example"
std::string make_stun_key_url(const KeyProviderSettings& settings);

}  // namespace turnpike::service
