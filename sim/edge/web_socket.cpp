#include "sim/edge/web_socket.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::sim {

Instant WebSocket::plan_arrival(End at) {
  Place& to = place(at);
  to.last_arrival = std::max(to.last_arrival, world_->moment().mono + delay_);
  return to.last_arrival;
}

void WebSocket::send(End from, std::string text) {
  if (is_cut_ || !is_open(from)) return;
  const End to = other(from);
  world_->plan(plan_arrival(to), [self = shared_from_this(), to, text = std::move(text)] {
    if (!self->is_cut_ && self->is_open(to) && self->place(to).owner != nullptr)
      self->place(to).owner->on_web_socket_message(*self, text);
  });
}

void WebSocket::close(End by) {
  if (!is_open(by)) return;
  place(by) = {.owner = nullptr, .is_open = false, .last_arrival = {}};
  if (is_cut_) return;
  const End to = other(by);
  world_->plan(plan_arrival(to), [self = shared_from_this(), to] {
    if (!self->is_cut_) self->end(to);
  });
}

void WebSocket::cut(Duration client_learns, Duration edge_learns) {
  if (std::exchange(is_cut_, true)) return;
  world_->plan_after(client_learns, [self = shared_from_this()] { self->end(End::client); });
  world_->plan_after(edge_learns, [self = shared_from_this()] { self->end(End::edge); });
}

void WebSocket::end(End at) {
  Place& ended = place(at);
  if (!std::exchange(ended.is_open, false)) return;
  if (Owner* owner = std::exchange(ended.owner, nullptr)) owner->on_web_socket_closed(*this);
}

}  // namespace turnpike::sim
