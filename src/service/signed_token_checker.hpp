#pragma once
// Checks signed JWTs with the published keys of their issuers. Keys are fetched at the start, before they
// end, and when a token names one that is not there; tokens wait for that, with a deadline.

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "jose/token.hpp"
#include "service/token_checker.hpp"
#include "service/token_settings.hpp"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): the name that Asio has
}

namespace turnpike::service {

epcscf::TokenRefusal to_token_refusal(jose::Refusal refusal);

class SignedTokenChecker final : public TokenChecker {
 public:
  // A sentence where a file cannot be used. Loop and log outlive the checker.
  static std::expected<std::unique_ptr<SignedTokenChecker>, std::string> make(boost::asio::io_context& loop,
                                                                              const TokenSettings& settings,
                                                                              Log& log);
  ~SignedTokenChecker() override;

  void check(std::string token, std::function<void(epcscf::TokenAnswer)> on_answer) override;
  void check(jose::UnverifiedToken token, const std::function<void(epcscf::TokenAnswer)>& on_answer);
  [[nodiscard]] bool knows(std::string_view issuer) const;

 private:
  class Core;
  explicit SignedTokenChecker(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;
};

}  // namespace turnpike::service
