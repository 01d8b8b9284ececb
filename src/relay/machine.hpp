#pragma once
// What the relay asks of the machine that it runs on: CPUs, addresses, descriptors, ports.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"

namespace turnpike::relay {

// The CPUs that this process may use, ascending.
std::vector<unsigned> allowed_cpus();
void pin_this_thread(unsigned cpu);

// Of interfaces that are up; loopback among them, link-local not.
std::vector<IpAddress> machine_addresses();

// Each allocation needs a descriptor: takes what the system lets this process have, and returns it.
std::uint64_t raise_descriptor_limit();

// The ports from which the kernel serves sockets that name none; nothing where it does not tell.
struct PortRange {
  std::uint16_t first = 0, last = 0;
  [[nodiscard]] bool contains(std::uint16_t port) const { return first <= port && port <= last; }
  [[nodiscard]] bool overlaps(const PortRange& other) const {
    return first <= other.last && other.first <= last;
  }
};
std::optional<PortRange> ephemeral_ports();

}  // namespace turnpike::relay
