#pragma once
// What can be said of the settings before a socket is opened for good. Problems are one line each, which
// names the address and the reason.

#include <expected>
#include <string>
#include <vector>

#include "relay/server.hpp"

namespace turnpike::relay {

std::expected<void, std::string> check_start(const ServerSettings& settings);
std::vector<std::string> find_warnings(const ServerSettings& settings, unsigned shards,
                                       std::uint64_t descriptors_max);
std::string explain_listener(const SocketAddress& listener, std::error_code error);

}  // namespace turnpike::relay
