#include "sim/world.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace turnpike::sim {
namespace {

constexpr WallTime first_day{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
// So many events without any time passing mean that somebody asks to be woken for ever.
constexpr std::uint32_t events_of_a_moment_max = 200'000;

}  // namespace

World::World(std::uint64_t seed) : random_(seed), now_{Instant{std::chrono::seconds{1000}}, first_day} {}

void World::plan(Instant at, Event event) {
  planned_.push_back({std::max(at, now_.mono), planned_count_++, std::move(event)});
  std::push_heap(planned_.begin(), planned_.end(), is_later);
}

bool World::step() {
  if (planned_.empty()) return false;
  std::pop_heap(planned_.begin(), planned_.end(), is_later);
  const Planned next = std::move(planned_.back());
  planned_.pop_back();
  events_of_this_moment_ = next.at == now_.mono ? events_of_this_moment_ + 1 : 0;
  check(events_of_this_moment_ < events_of_a_moment_max,
        "the world stands still: somebody wants to be woken for ever");
  move_clock_to(next.at);
  next.event();
  return true;
}

void World::run_until(Instant end) {
  while (!planned_.empty() && planned_.front().at <= end) step();
  move_clock_to(std::max(end, now_.mono));
}

bool World::run_until(FunctionRef<bool()> is_done, Duration at_most) {
  const Instant end = now_.mono + at_most;
  while (!is_done()) {
    if (planned_.empty() || planned_.front().at > end) {
      move_clock_to(end);
      return false;
    }
    step();
  }
  return true;
}

bool World::is_later(const Planned& a, const Planned& b) {
  return a.at != b.at ? a.at > b.at : a.number > b.number;
}

void World::move_clock_to(Instant at) {
  now_.wall += at - now_.mono;
  now_.mono = at;
}

void Alarm::set(std::optional<Instant> at) {
  if (at == at_) return;
  if (is_cancelled_) *is_cancelled_ = true;
  is_cancelled_.reset();
  at_ = at;
  if (!at) return;
  is_cancelled_ = std::make_shared<bool>(false);
  world_->plan(*at, [this, is_cancelled = is_cancelled_, owner = std::weak_ptr{ring_}] {
    if (owner.expired() || *is_cancelled) return;
    at_.reset();
    is_cancelled_.reset();
    (*ring_)();
  });
}

}  // namespace turnpike::sim
