#pragma once
// HomeCore is the embedded home network in small: I-CSCF, S-CSCF and HSS of TS 23.228 as one machine. It
// authenticates and registers (SIP Digest, IMS AKA, Trusted Node Authentication), answers reg-event
// subscriptions (RFC 3680), and routes requests between registered users over their Paths.
//
//   shell:  on_message / on_hop_failed / on_timeout, then next_effect() until it is empty

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/random.hpp"
#include "base/time.hpp"
#include "sip/hop.hpp"

namespace turnpike::ims {

struct SendTo {
  sip::Hop to;
  std::string bytes;
};

}  // namespace turnpike::ims
