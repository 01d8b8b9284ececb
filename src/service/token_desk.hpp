#pragma once
// Sends each token where it can be checked: signed ones of known issuers are verified here, all others are
// asked about where introspection is configured.

#include <expected>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "service/token_checker.hpp"
#include "service/token_settings.hpp"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): the name that Asio has
}

namespace turnpike::service {

class Loop;

// A sentence where a file cannot be used. Loop and log outlive the checker, which is used and destroyed on
// the loop's thread, or before and after that runs.
std::expected<std::unique_ptr<TokenChecker>, std::string> make_token_desk(boost::asio::io_context& loop,
                                                                          const TokenSettings& settings,
                                                                          Log& log);

std::expected<std::unique_ptr<TokenChecker>, std::string> make_token_desk(Loop& loop,
                                                                          const TokenSettings& settings,
                                                                          Log& log);

}  // namespace turnpike::service
