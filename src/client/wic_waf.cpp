#include "client/wic_waf.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace turnpike::client {
namespace {

constexpr std::chrono::seconds patience_max{60};

}  // namespace

WicWaf::WicWaf(Settings settings, Timeline& timeline)
    : settings_(std::move(settings)),
      timeline_(timeline),
      session_(settings_.session),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  check(wake_ >= 0, "there is a descriptor left");
}

WicWaf::~WicWaf() {
  if (thread_.joinable()) thread_.join();
  ::close(wake_);
}

void WicWaf::show(WafStep step) {
  timeline_.add(step.is_sent ? ProbeEvent::Direction::sent : ProbeEvent::Direction::received,
                "WAF: " + step.message, std::move(step.detail));
}

WafSession::Watcher WicWaf::make_watcher() {
  return {.on_step = [this](WafStep step) { show(std::move(step)); },
          .on_round_trip = [this](WafRoundTrip trip) { round_trips_.push_back(trip); },
          .on_url = settings_.on_url,
          .interrupt = settings_.interrupt};
}

std::expected<OAuthTokens, WafFailure> WicWaf::log_in() {
  auto tokens = session_.log_in(make_watcher());
  if (tokens) plan(*tokens, read_clocks());
  return tokens;
}

void WicWaf::end() {
  if (thread_.joinable()) thread_.join();
  static_cast<void>(take_renewal(read_clocks()));
  due_.reset();
  session_.end(make_watcher());
}

void WicWaf::plan(const OAuthTokens& tokens, Now now) {
  patience_ = std::chrono::seconds{1};
  if (!session_.can_renew()) return;
  due_ = now.mono + std::max(tokens.refresh_after, std::chrono::seconds{1});
  timeline_.note("tokens",
                 fmt::format("the next ones in {} s, in the background", tokens.refresh_after.count()));
}

// --- renewal ----------------------------------------------------------------------------------------------

void WicWaf::on_timeout(Now now) {
  if (!due_ || *due_ > now.mono) return;
  due_.reset();
  if (thread_.joinable()) thread_.join();
  timeline_.note("tokens", "newer ones are fetched in the background");
  thread_ = std::thread{[this] { run_renewal(); }};
}

void WicWaf::run_renewal() {
  Work work;
  work.outcome =
      session_.renew({.on_step = [&](WafStep step) { work.steps.push_back(std::move(step)); },
                      .on_round_trip = [&](WafRoundTrip trip) { work.round_trips.push_back(trip); }});
  const std::scoped_lock lock{mutex_};
  work_ = std::move(work);
  static_cast<void>(::eventfd_write(wake_, 1));
}

std::optional<std::expected<OAuthTokens, WafFailure>> WicWaf::take_renewal(Now now) {
  eventfd_t count = 0;
  if (::eventfd_read(wake_, &count) != 0) return std::nullopt;
  Work work;
  {
    const std::scoped_lock lock{mutex_};
    work = std::exchange(work_, {});
  }
  for (WafStep& step : work.steps) show(std::move(step));
  round_trips_.insert(round_trips_.end(), work.round_trips.begin(), work.round_trips.end());
  if (!work.outcome) return std::nullopt;
  if (*work.outcome) {
    ++renewals_;
    plan(**work.outcome, now);
  } else if (!work.outcome->error().is_final) {
    due_ = now.mono + patience_;
    patience_ = std::min(patience_ * 2, patience_max);
  }
  return std::move(work.outcome);
}

std::size_t count_round_trips(const std::vector<WafRoundTrip>& round_trips, Instant from, Instant to) {
  return static_cast<std::size_t>(std::ranges::count_if(
      round_trips, [&](const WafRoundTrip& trip) { return trip.began <= to && trip.ended >= from; }));
}

}  // namespace turnpike::client
