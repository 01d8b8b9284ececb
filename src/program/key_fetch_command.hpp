#pragma once
// The part of `turnpike key` about keys that relays fetch (docs/keys.md): at a relay by the administrator's
// socket of the server that runs, at a WAF in its database.

#include <optional>
#include <string>

#include "base/time.hpp"
#include "program/answer.hpp"
#include "program/config.hpp"
#include "program/options.hpp"

namespace turnpike::program {

// Of the providers of a relay, as the server tells; of the TURN servers of a WAF, as its database does.
// Nothing where the configuration has neither.
std::optional<Answer> list_fetched_keys(const Config& config, WallTime wall);
// Both, one after the other; the second one alone where the first says that there are no keys.
Answer join(Answer first, std::optional<Answer> second);

struct KeyBeginOptions {
  std::optional<std::string> server_name{};
  bool at_once = false;
};
Answer begin_turn_key(const std::optional<std::string>& config_file, const KeyBeginOptions& options);

struct KeyWithdrawal {
  std::optional<std::string> config{}, provider{}, kid{};
  bool all = false;
};
Answer withdraw_keys(const KeyWithdrawal& options);

// fetch, withdraw, restore
void add_key_fetching(Command& key);

}  // namespace turnpike::program
