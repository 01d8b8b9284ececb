#pragma once
// World owns the only clock and the only source of randomness of a simulation. Everything happens in one
// thread, in events; between two of them no time exists: the clock jumps from each event to the next. Events
// of one moment happen in the order in which they were planned. A seed says everything.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/function_ref.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "sim/journal.hpp"

namespace turnpike::sim {

class World {
 public:
  using Event = std::function<void()>;

  explicit World(std::uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] Now moment() const { return now_; }
  // A generator for one actor, whose draws do not shift another's.
  SeededRandom fork() { return random_.fork(); }
  Journal& journal() { return journal_; }

  void plan(Instant at, Event event);  // in the past: at once, but not before the caller returns
  void plan_after(Duration delay, Event event) { plan(now_.mono + delay, std::move(event)); }
  // The wall clock is set, as by an administrator or a time server; the other one never is.
  void step_wall_clock(Duration by) { now_.wall += by; }

  bool step();  // to the next event; false: there is none
  void run_until(Instant end);
  void run_for(Duration time) { run_until(now_.mono + time); }
  // True as soon as it is done, false when it is not done in time.
  bool run_until(FunctionRef<bool()> is_done, Duration at_most);

 private:
  struct Planned {
    Instant at;
    std::uint64_t number = 0;
    Event event;
  };
  static bool is_later(const Planned& a, const Planned& b);
  void move_clock_to(Instant at);

  SeededRandom random_;
  Now now_;
  Journal journal_;
  std::vector<Planned> planned_;  // a heap
  std::uint64_t planned_count_ = 0;
  std::uint32_t events_of_this_moment_ = 0;
};

// One actor's wake-up call. Setting it again replaces the earlier call, and destroying it cancels it.
class Alarm {
 public:
  Alarm(World& world, World::Event ring)
      : world_(&world), ring_(std::make_shared<World::Event>(std::move(ring))) {}
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  void set(std::optional<Instant> at);

 private:
  World* world_;
  std::shared_ptr<World::Event> ring_;
  std::optional<Instant> at_;
  std::shared_ptr<bool> is_cancelled_;
};

}  // namespace turnpike::sim
