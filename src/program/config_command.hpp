#pragma once
// turnpike check, and what every command with --config shares.

#include <expected>
#include <optional>
#include <string>

#include "program/answer.hpp"
#include "program/config.hpp"
#include "program/options.hpp"

namespace turnpike::program {

// The configuration with its warnings, or the answer that ends the command: its problems, or that it was not
// named.
std::expected<LoadedConfig, Answer> require_loaded_config(const std::optional<std::string>& file);
std::expected<Config, Answer> require_config(const std::optional<std::string>& file);

Answer check_config(const std::string& file);

void add_check_command(Command root);

}  // namespace turnpike::program
