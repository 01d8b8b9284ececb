#pragma once
// The Refresh method, RFC 8656 section 8.2, and the change of a token during an allocation, RFC 7635
// section 9.

#include <chrono>
#include <optional>

#include "turn/core.hpp"

namespace turnpike::turn {

class RefreshMethod {
 public:
  explicit RefreshMethod(Core& core) : core_(&core) {}

  Outcome on_request(const Exchange& exchange, const stun::Message& request,
                     const Authentication& authentication, Allocation& allocation, Now now);
  // A deletion whose answer was lost.
  void repeat_deletion(const Exchange& exchange) { answer(exchange, std::chrono::seconds{0}); }

 private:
  Outcome extend(Allocation& allocation, const Authentication& authentication,
                 std::optional<AddressFamily> family, std::optional<std::uint32_t> asked, Now now);
  Outcome adopt(Allocation& allocation, const Authentication& authentication);
  void end(const Exchange& exchange, Allocation& allocation, std::optional<AddressFamily> family, Now now);
  void answer(const Exchange& exchange, std::chrono::seconds lifetime);

  Core* core_;
};

}  // namespace turnpike::turn
