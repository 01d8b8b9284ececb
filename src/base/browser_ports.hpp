#pragma once
// Ports to which browsers do not go, whoever answers there.

#include <cstdint>

namespace turnpike {

// "Port blocking" of the Fetch Standard: neither HTTP nor WebSocket, nor fetch() of Node.js. Chromium sends
// no datagrams there either, to TURN servers or to peers.
bool is_blocked_by_browsers(std::uint16_t port);

// The same and, of the ports below 1024, all but 80 and 443, which is where libwebrtc looks for TURN servers.
bool is_blocked_for_turn(std::uint16_t port);

}  // namespace turnpike
