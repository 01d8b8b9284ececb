#include "service/token_desk.hpp"

#include <utility>

#include "service/introspection.hpp"
#include "service/loop_impl.hpp"
#include "service/signed_token_checker.hpp"

namespace turnpike::service {
namespace {

class TokenDesk final : public TokenChecker {
 public:
  TokenDesk(const jose::Limits& limits, std::unique_ptr<SignedTokenChecker> verifying,
            std::unique_ptr<IntrospectingChecker> asking)
      : limits_(limits), verifying_(std::move(verifying)), asking_(std::move(asking)) {}

  void check(std::string token, std::function<void(epcscf::TokenAnswer)> on_answer) override {
    auto read = jose::read_token(token, limits_);
    if (read && verifying_->knows(read->claimed_issuer()))
      return verifying_->check(std::move(*read), std::move(on_answer));
    if (asking_) return asking_->check(std::move(token), std::move(on_answer));
    verifying_->check(std::move(token), std::move(on_answer));
  }

 private:
  jose::Limits limits_;
  std::unique_ptr<SignedTokenChecker> verifying_;
  std::unique_ptr<IntrospectingChecker> asking_;
};

}  // namespace

std::expected<std::unique_ptr<TokenChecker>, std::string> make_token_desk(boost::asio::io_context& loop,
                                                                          const TokenSettings& settings,
                                                                          Log& log) {
  auto verifying = SignedTokenChecker::make(loop, settings, log);
  if (!verifying) return std::unexpected(verifying.error());
  std::unique_ptr<IntrospectingChecker> asking;
  if (settings.introspection) {
    auto made = IntrospectingChecker::make(loop, settings, log);
    if (!made) return std::unexpected(made.error());
    asking = std::move(*made);
  }
  return std::make_unique<TokenDesk>(settings.limits.jose, std::move(*verifying), std::move(asking));
}

std::expected<std::unique_ptr<TokenChecker>, std::string> make_token_desk(Loop& loop,
                                                                          const TokenSettings& settings,
                                                                          Log& log) {
  return make_token_desk(loop.impl().context, settings, log);
}

}  // namespace turnpike::service
