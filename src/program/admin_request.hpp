#pragma once
// Asking a running server, and the option groups that requests share.

#include <cstdint>
#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "credentials/grant.hpp"
#include "program/admin_socket.hpp"
#include "program/options.hpp"

namespace turnpike::program {

struct PolicyOptions {
  std::uint64_t allocations_max = 0;
  std::uint64_t bytes_per_second = 0;
  std::vector<std::string> allowed_peers;
};
void add_policy_options(Command& command, PolicyOptions& options);
std::expected<credentials::Policy, std::string> read_policy(const PolicyOptions& options);
void add_policy(nlohmann::ordered_json& request, const PolicyOptions& options);

// The server's answer, when it is ok; else its words or those of the failure. `socket` may be empty.
std::expected<nlohmann::ordered_json, AskError> ask_server(const std::string& socket,
                                                           const nlohmann::ordered_json& request);

std::string text_in(const nlohmann::ordered_json& answer, const char* key);
bool flag_in(const nlohmann::ordered_json& answer, const char* key);
std::uint64_t number_in(const nlohmann::ordered_json& answer, const char* key);

}  // namespace turnpike::program
