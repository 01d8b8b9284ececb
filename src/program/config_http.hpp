#pragma once
// Where an HTTP server of this process listens, as [api] and [waf] say it. For config.cpp alone.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "program/config.hpp"
#include "program/table_reader.hpp"

namespace turnpike::program {

// listen and allow_cleartext; all addresses of this machine and `port` unless they are set.
void read_http_listeners(TableReader& table, HttpDoor& door, std::uint16_t port);
// certificate and key, which https needs. Relative paths start at `folder`.
void read_http_files(TableReader& table, HttpDoor& door, const std::filesystem::path& folder);

std::vector<std::string> listener_names(const HttpDoor& door);  // "https:192.0.2.1:8444"
std::string format_http_door(const HttpDoor& door);             // in TOML

}  // namespace turnpike::program
