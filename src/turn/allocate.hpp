#pragma once
// The Allocate method, RFC 8656 section 7.2. Between the request and its answer the shell opens the ports,
// one after the other; nothing of the client is heard until the answer has left.

#include <array>
#include <map>

#include "turn/allocate_request.hpp"
#include "turn/core.hpp"
#include "turn/lifetime.hpp"

namespace turnpike::turn {

class AllocateMethod {
 public:
  explicit AllocateMethod(Core& core) : core_(&core) {}

  Outcome on_request(const Exchange& exchange, const stun::Message& request,
                     const Authentication& authentication, Allocation* existing, Now now);
  void on_port_opened(Allocation& allocation, RelayPortId port, bool opened, Now now);

 private:
  struct Opening {
    Exchange exchange;
    Allocation* allocation = nullptr;
    PortParity parity = PortParity::any;
    GrantedLifetime lifetime{};
    std::array<bool, 2> to_open{};  // IPv4, IPv6
    bool is_dual = false;
    std::size_t family = 0;      // index of the one being opened
    std::uint32_t attempts = 0;  // for that one
    bool is_redeemed = false;    // the port is the one of a reservation, and there is no other
  };

  Outcome admit(const credentials::Grant& grant, const ClientPath& from);
  Outcome begin(const Exchange& exchange, const AllocateRequest& wanted, const GrantedLifetime& lifetime,
                bool is_token, Now now);
  void proceed(Opening opening, Now now);
  bool take_port(Opening& opening, Now now);
  void ask_for_port(Opening opening, const SocketAddress& bind);
  [[nodiscard]] std::uint16_t missing_family_error(const Allocation& allocation) const;
  void finish(const Opening& opening, Now now);
  void give_up(const Opening& opening, const Rejection& rejection, Now now);
  void answer(const Exchange& exchange, const Allocation& allocation);

  Core* core_;
  std::map<RelayPortId, Opening> openings_;
};

}  // namespace turnpike::turn
