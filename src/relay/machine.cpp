#include "relay/machine.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/native_address.hpp"

namespace turnpike::relay {
namespace {

bool is_link_local(const IpAddress& ip) {
  static const auto v4 = IpPrefix::parse("169.254.0.0/16");
  static const auto v6 = IpPrefix::parse("fe80::/10");
  return v4->contains(ip) || v6->contains(ip);
}

std::optional<IpAddress> address_of(const ifaddrs& interface) {
  if (interface.ifa_addr == nullptr || (interface.ifa_flags & IFF_UP) == 0) return std::nullopt;
  NativeAddress native;
  if (interface.ifa_addr->sa_family == AF_INET)
    std::memcpy(&native.v4, interface.ifa_addr, sizeof native.v4);
  else if (interface.ifa_addr->sa_family == AF_INET6)
    std::memcpy(&native.v6, interface.ifa_addr, sizeof native.v6);
  else
    return std::nullopt;
  const auto address = native.to_address();
  if (!address || is_link_local(address->ip)) return std::nullopt;
  return address->ip;
}

}  // namespace

std::vector<unsigned> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

void pin_this_thread(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  // Where it is refused the thread runs wherever the scheduler likes, as without pinning.
  (void)sched_setaffinity(0, sizeof set, &set);
}

std::vector<IpAddress> machine_addresses() {
  std::vector<IpAddress> addresses;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return addresses;
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    const auto address = address_of(*at);
    if (address && std::find(addresses.begin(), addresses.end(), *address) == addresses.end())
      addresses.push_back(*address);
  }
  freeifaddrs(first);
  return addresses;
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
  }
  return limit.rlim_cur;
}

std::optional<PortRange> ephemeral_ports() {
  std::ifstream file{"/proc/sys/net/ipv4/ip_local_port_range"};
  PortRange range;
  if (!(file >> range.first >> range.last)) return std::nullopt;
  return range;
}

}  // namespace turnpike::relay
