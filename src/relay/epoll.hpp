#pragma once
// The kernel's event queue, edge-triggered: a descriptor is told once when something has arrived, and whoever
// owns it remembers that until it has read the descriptor dry.

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <span>

#include "base/time.hpp"
#include "relay/udp_socket.hpp"

namespace turnpike::relay {

class Epoll {
 public:
  static Result<Epoll> open();

  [[nodiscard]] Result<void> add(int fd, std::uint64_t key) const;  // removed when the descriptor is closed
  std::span<const epoll_event> wait(Duration at_most);

 private:
  explicit Epoll(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
  static constexpr std::size_t events_max = 256;
  FileDescriptor descriptor_;
  std::array<epoll_event, events_max> events_{};
};

}  // namespace turnpike::relay
