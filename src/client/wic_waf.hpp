#pragma once
// A WIC's tokens of a WAF: the login before anything else, and then newer tokens in time, fetched on a thread
// of its own, so that neither media nor calls wait for them. Private to run_wic; all calls come from one
// thread.

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/timeline.hpp"
#include "client/waf_session.hpp"

namespace turnpike::client {

class WicWaf {
 public:
  struct Settings {
    WafSettings session{};
    std::function<void(const std::string& url)> on_url{};
    int interrupt = -1;
  };
  WicWaf(Settings settings, Timeline& timeline);
  WicWaf(const WicWaf&) = delete;
  WicWaf& operator=(const WicWaf&) = delete;
  ~WicWaf();

  std::expected<OAuthTokens, WafFailure> log_in();  // blocks
  void end();                                       // blocks; what was given is given back

  // --- renewal
  [[nodiscard]] int descriptor() const { return wake_; }  // can be read when a renewal is over
  // When the next renewal begins; nothing while one is under way, or where none is possible.
  [[nodiscard]] std::optional<Instant> next_timeout() const { return due_; }
  void on_timeout(Now now);
  // The next renewal begins at the next on_timeout(), where one is possible and none is under way.
  void hurry(Now now) {
    if (due_) due_ = now.mono;
  }
  // The outcome of a renewal that is over, once. After a failure it is tried again, until the WAF has said
  // no.
  std::optional<std::expected<OAuthTokens, WafFailure>> take_renewal(Now now);

  [[nodiscard]] const std::vector<WafRoundTrip>& round_trips() const { return round_trips_; }
  [[nodiscard]] std::size_t renewals() const { return renewals_; }

 private:
  struct Work {  // what the thread leaves
    std::vector<WafStep> steps{};
    std::vector<WafRoundTrip> round_trips{};
    std::optional<std::expected<OAuthTokens, WafFailure>> outcome{};
  };
  [[nodiscard]] WafSession::Watcher make_watcher();
  void run_renewal();
  void show(WafStep step);
  void plan(const OAuthTokens& tokens, Now now);

  Settings settings_;
  Timeline& timeline_;
  WafSession session_;  // of the thread, while it runs
  int wake_ = -1;
  std::thread thread_{};
  std::mutex mutex_{};
  Work work_{};
  std::optional<Instant> due_{};
  std::chrono::seconds patience_{1};  // after the next failure
  std::vector<WafRoundTrip> round_trips_{};
  std::size_t renewals_ = 0;
};

// How many of these overlap the time between two moments.
std::size_t count_round_trips(const std::vector<WafRoundTrip>& round_trips, Instant from, Instant to);

}  // namespace turnpike::client
