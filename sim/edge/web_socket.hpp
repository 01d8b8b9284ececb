#pragma once
// A connection of a WIC to the edge, SIP over WebSocket, as its two ends see it. What is sent arrives once
// and in order, until the connection ends: when an end closes it, the other one is told behind what was sent
// before; when it is cut, what is under way is lost and each end learns of it in its own time.

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "sim/world.hpp"

namespace turnpike::sim {

class WebSocket : public std::enable_shared_from_this<WebSocket> {
 public:
  enum class End : std::uint8_t { client, edge };
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_web_socket_message(WebSocket& socket, std::string_view text) = 0;
    virtual void on_web_socket_closed(WebSocket& socket) = 0;  // not by this end
  };

  WebSocket(World& world, Duration delay) : world_(&world), delay_(delay) {}

  void own(End end, Owner& owner) { place(end).owner = &owner; }
  void send(End from, std::string text);
  void close(End by);  // whose owner hears nothing more
  void cut(Duration client_learns, Duration edge_learns);
  [[nodiscard]] bool is_open(End end) const { return places_[static_cast<std::size_t>(end)].is_open; }

 private:
  struct Place {
    Owner* owner = nullptr;
    bool is_open = true;
    Instant last_arrival{};
  };
  Place& place(End end) { return places_[static_cast<std::size_t>(end)]; }
  static End other(End end) { return end == End::client ? End::edge : End::client; }
  Instant plan_arrival(End at);
  void end(End at);

  World* world_;
  Duration delay_;
  bool is_cut_ = false;
  std::array<Place, 2> places_;
};

}  // namespace turnpike::sim
