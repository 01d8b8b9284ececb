#pragma once
// What a TURN server is answered that fetches its keys (RFC 7635 section 4.1.1): the newest one as the RFC
// has it, and beside it, as members of ours, all that it has to accept, those that were withdrawn, and when
// to ask again.

#include <string>

#include "base/time.hpp"
#include "waf/message.hpp"
#include "waf/settings.hpp"
#include "waf/turn_key_ring.hpp"

namespace turnpike::waf {

struct StunKeyAnswer {
  Response response{};
  std::string server_name{};  // whose keys are in it; empty: none are
};

// Decides by the names of the client's certificate, which the front door has verified: without one nobody is
// given anything. The answer holds secrets.
StunKeyAnswer answer_stun_key(const Settings& settings, const TurnKeyRing& keys, const Request& request,
                              WallTime now);

// IMF-fixdate of RFC 9110 section 5.6.7, "Fri, 27 Nov 2026 20:51:02 GMT".
std::string format_http_date(WallTime at);

}  // namespace turnpike::waf
