#pragma once
// Sends each token where it can be checked: signed ones of known issuers are verified here, all others are
// asked about where introspection is configured.

#include <expected>
#include <list>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "service/token_checker.hpp"
#include "service/token_settings.hpp"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): the name that Asio has
}

namespace turnpike::service {

class TokenDesk final : public TokenChecker {
 public:
  // A sentence where a file cannot be used. Loop and log outlive the desk, which is used and destroyed on the
  // loop's thread, or before and after that runs.
  static std::expected<std::unique_ptr<TokenDesk>, std::string> make(boost::asio::io_context& loop,
                                                                     const TokenSettings& settings, Log& log);
  ~TokenDesk() override;
  TokenDesk(const TokenDesk&) = delete;
  TokenDesk& operator=(const TokenDesk&) = delete;

  void check(std::string token, std::function<void(epcscf::TokenAnswer)> on_answer) override;

  // Tokens from now on; those that are being checked have their answers as before. Where it fails, nothing
  // has changed.
  std::expected<void, std::string> reconfigure(const TokenSettings& settings);

 private:
  struct Checkers;  // of one configuration

  TokenDesk(boost::asio::io_context& loop, Log& log);
  void drop_retired();

  boost::asio::io_context& loop_;
  Log& log_;
  std::list<Checkers> checkers_;  // the last ones are in force; the others still owe answers
  std::shared_ptr<void> is_here_;
};

}  // namespace turnpike::service
