#pragma once
// Plain counters of one eP-CSCF.

#include <array>
#include <cstdint>

#include "epcscf/effects.hpp"

namespace turnpike::epcscf {

struct Counters {
  std::uint64_t messages_from_clients = 0, messages_to_clients = 0;
  std::uint64_t messages_from_core = 0, messages_to_core = 0;
  std::uint64_t registrations_started = 0, registrations_refreshed = 0, challenges = 0;
  std::uint64_t calls_started = 0, calls_ended = 0;
  std::uint64_t calls_abandoned = 0;  // of those that ended: the WIC had vanished
  std::uint64_t provisioned = 0, provisioned_by_fallback = 0;
  std::uint64_t clients_active = 0, registrations_active = 0, calls_active = 0;
  std::uint64_t subscriptions_active = 0, transactions_active = 0;
  std::array<std::uint64_t, registration_refusal_count> refusals{};
  std::array<std::uint64_t, end_trigger_count> ends{};
  std::array<std::uint64_t, unprovisioned_count> unprovisioned{};
  std::array<std::uint64_t, bad_message_count> bad_messages{};
};

}  // namespace turnpike::epcscf
