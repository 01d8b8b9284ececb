#pragma once
// The times of RFC 3261 section 17 (table 4).

#include <chrono>

#include "base/time.hpp"

namespace turnpike::sip {

struct Timers {
  Duration t1 = std::chrono::milliseconds{500};            // round trip
  Duration t2 = std::chrono::seconds{4};                   // between retransmissions, at most
  Duration t4 = std::chrono::seconds{5};                   // a message stays in the network
  Duration timer_d = std::chrono::seconds{32};             // refused INVITE, unreliable transport
  Duration trying_after = std::chrono::milliseconds{200};  // section 17.2.1: 100 where the core was silent

  // Timers B, F, H, J, L, M: how long an answer is waited for.
  [[nodiscard]] Duration patience() const { return 64 * t1; }
};

// What a transaction wants done after an input.
struct Step {
  bool transmit = false;     // the request of a client, the last response of a server
  bool acknowledge = false;  // ACK for the refusal
  bool deliver = false;      // the message goes on to the core
  bool time_out = false;     // the core hears that no answer, or no ACK, has come
  bool send_trying = false;  // a 100 of our own
  bool operator==(const Step&) const = default;
};

}  // namespace turnpike::sip
