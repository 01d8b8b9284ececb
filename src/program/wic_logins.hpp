#pragma once
// How `turnpike wic` logs in, and whose TURN credential it uses: what the options of a scenario, a source and
// a WAF mean together, and what of them does not go together.

#include <expected>
#include <string>

#include "client/wic_run.hpp"
#include "program/wic_command.hpp"

namespace turnpike::program {

// Sets scenario, agent.identity, agent.login, waf, source and what follows from them. The error is one line.
std::expected<void, std::string> read_logins(const WicOptions& options, client::WicSettings& to);

}  // namespace turnpike::program
