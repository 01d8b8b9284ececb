#include "service/provider_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace turnpike::service {
namespace {

using std::chrono::seconds;

constexpr seconds unchanged_within{60};  // of a key's end, as clocks are read in seconds and move
constexpr std::size_t withdrawn_max = 64;

// So that relays which have started together do not come together: up to a quarter less.
Duration spread(Duration whole, Random& random) {
  const auto part = static_cast<std::int64_t>(random.below(1U << 20));
  return whole - Duration{whole.count() / 4 / (1 << 20) * part};
}

bool is_like(const StunKey& a, const StunKey& b) {
  return a.kid == b.kid && a.algorithm == b.algorithm && a.key.equals(b.key.reveal()) &&
         std::chrono::abs(a.accepted_until - b.accepted_until) < unchanged_within;
}

}  // namespace

std::optional<Instant> ProviderKeys::next_fetch() const {
  if (is_fetching_) return std::nullopt;
  return fetch_at_;
}

std::expected<ProviderKeys::Taken, std::string> ProviderKeys::on_fetched(StunKeys answer,
                                                                         std::optional<WallTime> their_time,
                                                                         Now now, Random& random) {
  const WallTime their_now = their_time.value_or(now.wall);
  const auto good =
      std::ranges::count_if(answer.keys, [&](const StunKey& key) { return key.accepted_until > their_now; });
  if (good == 0) {
    on_fetch_failed(now.mono, random);
    return std::unexpected("all keys of the answer have ended; compare the clocks");
  }
  Taken taken;
  const Duration difference = now.wall - their_now;
  if (std::chrono::abs(difference) > rules_.clock_tolerance) {
    taken.clock_difference = std::chrono::floor<seconds>(difference);
    for (StunKey& key : answer.keys) key.accepted_until += difference;
  }
  for (const std::string& kid : answer.withdrawn) {
    if (std::ranges::find(withdrawn_, kid) != withdrawn_.end()) continue;
    withdrawn_.push_back(kid);
    if (withdrawn_.size() > withdrawn_max) withdrawn_.pop_front();
    taken.withdrawn.push_back(kid);
  }
  is_fetching_ = false;
  retry_ = seconds{0};
  plan(answer, their_now, now.mono, random);
  taken.have_changed = merge(std::move(answer.keys), answer.withdrawn, now.wall);
  return taken;
}

// In good time before the newest key ends, whatever they say.
void ProviderKeys::plan(const StunKeys& answer, WallTime their_now, Instant now, Random& random) {
  WallTime last_end = WallTime::min();
  for (const StunKey& key : answer.keys) last_end = std::max(last_end, key.ends_at);
  Duration wait = answer.refresh_after.value_or(rules_.refresh_default);
  if (last_end > their_now) wait = std::min<Duration>(wait, (last_end - their_now) / 2);
  wait = std::clamp<Duration>(wait, rules_.refresh_min, rules_.refresh_max);
  fetch_at_ = now + spread(wait, random);
}

// Older ones that are not named any more stay until their end: an answer as RFC 7635 has it names one alone.
bool ProviderKeys::merge(std::vector<StunKey> keys, const std::vector<std::string>& withdrawn,
                         WallTime wall) {
  const auto is_of_interest = [&](const StunKey& key) {
    return key.accepted_until > wall && std::ranges::find(withdrawn, key.kid) == withdrawn.end() &&
           std::ranges::find(keys, key.kid, &StunKey::kid) == keys.end();
  };
  std::vector<StunKey> older;
  std::ranges::copy_if(keys_, std::back_inserter(older), is_of_interest);
  keys.insert(keys.end(), older.begin(), older.end());
  if (keys.size() > keys_max) keys.resize(keys_max);
  const bool have_changed = !std::ranges::equal(keys, keys_, is_like);
  keys_ = std::move(keys);
  return have_changed;
}

void ProviderKeys::on_fetch_failed(Instant now, Random& random) {
  is_fetching_ = false;
  retry_ = retry_.count() == 0 ? rules_.retry_first : std::min(retry_ * 2, rules_.retry_max);
  fetch_at_ = now + spread(retry_, random);
}

void ProviderKeys::ask_at(Instant at) { fetch_at_ = std::min(fetch_at_, at); }

void ProviderKeys::take(std::vector<StunKey> keys) {
  keys_ = std::move(keys);
  if (keys_.size() > keys_max) keys_.resize(keys_max);
}

}  // namespace turnpike::service
