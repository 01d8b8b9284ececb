#include "turn/timer_queue.hpp"

namespace turnpike::turn {

void TimerQueue::set(Timed& owner, Instant at) {
  if (owner.timer_position == Timed::unqueued) {
    heap_.push_back({at, &owner});
    owner.timer_position = static_cast<std::uint32_t>(heap_.size() - 1);
  }
  heap_[owner.timer_position].at = at;
  rise(owner.timer_position);
  sink(owner.timer_position);
}

void TimerQueue::remove(Timed& owner) {
  if (owner.timer_position == Timed::unqueued) return;
  const std::size_t hole = owner.timer_position;
  owner.timer_position = Timed::unqueued;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (hole == heap_.size()) return;
  place(hole, last);
  rise(hole);
  sink(last.owner->timer_position);
}

std::optional<Instant> TimerQueue::next() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().at;
}

Timed* TimerQueue::find_due(Instant now) const { return is_due(now) ? heap_.front().owner : nullptr; }

void TimerQueue::place(std::size_t position, const Entry& entry) {
  heap_[position] = entry;
  entry.owner->timer_position = static_cast<std::uint32_t>(position);
}

void TimerQueue::rise(std::size_t position) {
  const Entry entry = heap_[position];
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (heap_[parent].at <= entry.at) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, entry);
}

void TimerQueue::sink(std::size_t position) {
  const Entry entry = heap_[position];
  while (true) {
    std::size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].at < heap_[child].at) ++child;
    if (entry.at <= heap_[child].at) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, entry);
}

}  // namespace turnpike::turn
