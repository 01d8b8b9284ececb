#pragma once
// What tells transactions apart: RFC 3261 sections 17.1.3 and 17.2.3, as text to compare.

#include <optional>
#include <string>
#include <string_view>

#include "sip/message.hpp"

namespace turnpike::sip {

// Of a response, or of a request that we send: branch and method. Nothing without a branch of RFC 3261.
std::optional<std::string> make_client_key(const Message& message);
std::string make_client_key(std::string_view branch, std::string_view method);

// Of a received request as if its method were `method`: ACK and CANCEL ask for the INVITE. Without a branch
// of RFC 3261, as RFC 2543 had it: Request-URI, From tag, Call-ID, number, top Via.
std::string make_server_key(const Message& request, std::string_view method);

}  // namespace turnpike::sip
