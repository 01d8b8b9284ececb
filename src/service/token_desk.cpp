#include "service/token_desk.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "service/introspection.hpp"
#include "service/signed_token_checker.hpp"

namespace turnpike::service {

struct TokenDesk::Checkers {
  void check(std::string token, std::function<void(epcscf::TokenAnswer)> on_answer) {
    auto read = jose::read_token(token, limits);
    if (read && verifying->knows(read->claimed_issuer()))
      return verifying->check(std::move(*read), std::move(on_answer));
    if (asking) return asking->check(std::move(token), std::move(on_answer));
    verifying->check(std::move(token), std::move(on_answer));
  }

  jose::Limits limits;
  std::unique_ptr<SignedTokenChecker> verifying;
  std::unique_ptr<IntrospectingChecker> asking;
  std::size_t waiting = 0;  // answers that are owed
};

TokenDesk::TokenDesk(boost::asio::io_context& loop, Log& log)
    : loop_(loop), log_(log), is_here_(std::make_shared<bool>(true)) {}
TokenDesk::~TokenDesk() = default;

std::expected<std::unique_ptr<TokenDesk>, std::string> TokenDesk::make(boost::asio::io_context& loop,
                                                                       const TokenSettings& settings,
                                                                       Log& log) {
  std::unique_ptr<TokenDesk> desk{new TokenDesk{loop, log}};
  if (auto done = desk->reconfigure(settings); !done) return std::unexpected(std::move(done.error()));
  return desk;
}

std::expected<void, std::string> TokenDesk::reconfigure(const TokenSettings& settings) {
  auto verifying = SignedTokenChecker::make(loop_, settings, log_);
  if (!verifying) return std::unexpected(verifying.error());
  std::unique_ptr<IntrospectingChecker> asking;
  if (settings.introspection) {
    auto made = IntrospectingChecker::make(loop_, settings, log_);
    if (!made) return std::unexpected(made.error());
    asking = std::move(*made);
  }
  checkers_.push_back({settings.limits.jose, std::move(*verifying), std::move(asking)});
  drop_retired();
  return {};
}

void TokenDesk::check(std::string token, std::function<void(epcscf::TokenAnswer)> on_answer) {
  Checkers& checkers = checkers_.back();
  ++checkers.waiting;
  checkers.check(std::move(token),
                 [this, &checkers, on_answer = std::move(on_answer)](const epcscf::TokenAnswer& answer) {
                   --checkers.waiting;
                   // Later: it is these checkers who are calling.
                   if (checkers.waiting == 0 && &checkers != &checkers_.back())
                     boost::asio::post(loop_, [this, is_here = std::weak_ptr{is_here_}] {
                       if (!is_here.expired()) drop_retired();
                     });
                   on_answer(answer);
                 });
}

void TokenDesk::drop_retired() {
  std::erase_if(checkers_, [this](const Checkers& checkers) {
    return checkers.waiting == 0 && &checkers != &checkers_.back();
  });
}

}  // namespace turnpike::service
