#pragma once
// Names of hosts and their addresses, asked of the system's resolver once in a while. Of several addresses
// the first is used. SRV and NAPTR records (RFC 3263) are not looked at: a hop has a port.

#include <boost/asio/ip/udp.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "service/loop_impl.hpp"
#include "service/sip_endpoint.hpp"

namespace turnpike::service {

class NameCache {
 public:
  using Resolved = std::function<void(std::optional<IpAddress>, std::string bytes)>;

  NameCache(Loop& loop, const SipEndpointLimits& limits) : resolver_(loop.impl().context), limits_(limits) {}

  // "192.0.2.1" or "[2001:db8::1]": an address needs no resolver.
  static std::optional<IpAddress> parse_literal(std::string_view host);
  // Calls back now where the answer is known, else later; `bytes` wait meanwhile.
  void resolve(const std::string& host, std::string bytes, Resolved resolved);
  // Names that stand for this address.
  [[nodiscard]] std::vector<std::string> names_of(const IpAddress& address) const;
  void stop() { resolver_.cancel(); }

 private:
  struct Entry {
    std::optional<IpAddress> address{};
    std::optional<Instant> known_until{};  // nothing: the resolver is being asked
    std::size_t waiting_bytes = 0;
    std::vector<std::pair<std::string, Resolved>> waiting{};
  };
  void ask(const std::string& host);
  void on_answer(const std::string& host, std::optional<IpAddress> address);
  bool make_room(Instant now);

  asio::ip::basic_resolver<asio::ip::udp, Executor> resolver_;
  const SipEndpointLimits& limits_;
  std::map<std::string, Entry, std::less<>> entries_{};
};

}  // namespace turnpike::service
