#pragma once
// What is wrong with an account or a configuration, in words: for those who write them.

#include <optional>
#include <string>
#include <vector>

#include "waf/accounts.hpp"
#include "waf/settings.hpp"

namespace turnpike::waf {

// A client secret of ours has at least so many characters; they are random.
inline constexpr std::size_t client_secret_bytes_min = 22;

// Sentences without the name of the client; empty: it can be used.
std::vector<std::string> find_problems(const Client& client);
std::vector<std::string> find_problems(const User& user);
// Of what is not told by a type: the issuer, names that occur twice, keys that do not fit.
std::vector<std::string> find_problems(const Settings& settings);

}  // namespace turnpike::waf
