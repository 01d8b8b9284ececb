#pragma once
// Allocation is what RFC 8656 section 3.2 says one is: a 5-tuple, who owns it, its relayed addresses and when
// they end, its permissions and channels. No bytes of answers are kept: what a retransmission has to be told
// again is a few numbers.
//
// Memory of one allocation with one permission and one channel, on a 64-bit machine: at most 480 bytes in the
// engine, with its places in the indexes and the allocator's overhead (allocation_memory_test.cpp); the
// grant, about 400 bytes where it is not shared, comes to that.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "credentials/grant.hpp"
#include "stun/message.hpp"
#include "turn/byte_budget.hpp"
#include "turn/commons.hpp"
#include "turn/peers.hpp"
#include "turn/timer_queue.hpp"
#include "turn/types.hpp"

namespace turnpike::turn {

// One relayed transport address. An allocation has at most one of each family.
struct RelayedAddress {
  RelayPortId port = 0;
  std::uint16_t number = 0;   // of the port; zero: there is no such address
  std::uint16_t address = 0;  // index of Settings::relay_addresses
  Instant ends_at{};
};

// The answer that a retransmitted request gets again (RFC 8489 section 6.3.1).
struct Answered {
  stun::TransactionId id{};
  std::uint32_t lifetime = 0;  // seconds
  bool is_any = false;         // there was such a request
  [[nodiscard]] bool is_for(const stun::TransactionId& other) const { return is_any && id == other; }
};

struct Traffic {
  std::uint64_t bytes_from_client = 0, bytes_to_client = 0;
  std::uint64_t packets_from_client = 0, packets_to_client = 0;
};

struct Allocation : Timed {
  Allocation(const ClientPath& from, credentials::GrantPtr owner, std::uint64_t bytes_per_second)
      : path(from), grant(std::move(owner)), budget(bytes_per_second) {}

  [[nodiscard]] const RelayedAddress* find_relayed(AddressFamily family) const {
    const RelayedAddress& relayed = relayed_by_family[family == AddressFamily::ipv4 ? 0 : 1];
    return relayed.number == 0 ? nullptr : &relayed;
  }
  [[nodiscard]] RelayedAddress* find_relayed(AddressFamily family) {
    return const_cast<RelayedAddress*>(std::as_const(*this).find_relayed(family));
  }
  // Of the family if it has it, and of any that it has otherwise.
  [[nodiscard]] const RelayedAddress* first_relayed() const {
    const RelayedAddress* relayed = find_relayed(AddressFamily::ipv4);
    return relayed != nullptr ? relayed : find_relayed(AddressFamily::ipv6);
  }
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  ClientPath path;
  bool is_open = false;               // false: the shell has not answered an OpenPort yet
  bool is_token = false;              // RFC 7635: no lifetime reaches beyond the token's
  bool ends_with_credential = false;  // the credential bounds the lifetime, so that its end is the reason
  std::uint16_t additional_family_error = 0;  // code of the ADDRESS-ERROR-CODE that it was answered with
  credentials::GrantPtr grant;
  std::array<RelayedAddress, 2> relayed_by_family{};  // IPv4, IPv6
  Peers peers;
  ByteBudget budget;
  Traffic traffic;
  Answered allocate;
  Answered refresh;
  std::optional<ReservationToken> reservation;  // that it was answered with
};

}  // namespace turnpike::turn
