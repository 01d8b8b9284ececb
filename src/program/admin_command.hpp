#pragma once
// turnpike admin: looks into a running server and changes it, over its Unix socket.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "program/options.hpp"

namespace turnpike::program {

// The server's answers as a person reads them.
std::string format_stats(const nlohmann::ordered_json& answer);
std::string format_sessions(const nlohmann::ordered_json& answer);
std::string format_relays(const nlohmann::ordered_json& answer);
std::string format_list(const nlohmann::ordered_json& answer);

void add_admin_command(Command root);

}  // namespace turnpike::program
