#pragma once
// Asks the WAF about tokens over W5 (RFC 7662), and believes good answers for a short while.

#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/crypto.hpp"
#include "base/log.hpp"
#include "jose/token.hpp"
#include "service/http_client.hpp"
#include "service/token_checker.hpp"
#include "service/token_settings.hpp"

namespace turnpike::service {

// What an answer of the WAF means. Nothing where it is none at all: then the token could not be checked.
std::optional<epcscf::TokenAnswer> read_introspection(std::string_view body,
                                                      const IntrospectionSettings& settings,
                                                      std::chrono::seconds clock_skew,
                                                      const jose::Limits& limits, WallTime now);

// Identities by the hash of their token, each for a while, the oldest leave first. Pure.
class IntrospectionCache {
 public:
  IntrospectionCache(std::chrono::seconds keep, std::size_t entries_max)
      : keep_(keep), entries_max_(entries_max) {}

  void insert(const crypto::Sha256& token, const epcscf::TokenIdentity& identity, Now now);
  [[nodiscard]] const epcscf::TokenIdentity* find(const crypto::Sha256& token, Now now) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    epcscf::TokenIdentity identity;
    Instant until;
  };
  std::chrono::seconds keep_;
  std::size_t entries_max_;
  std::map<crypto::Sha256, Entry> entries_{};
  std::deque<crypto::Sha256> order_{};
};

class IntrospectingChecker final : public TokenChecker {
 public:
  // `settings.introspection` is there. A sentence where a file cannot be used.
  static std::expected<std::unique_ptr<IntrospectingChecker>, std::string> make(boost::asio::io_context& loop,
                                                                                const TokenSettings& settings,
                                                                                Log& log);
  ~IntrospectingChecker() override;

  void check(std::string token, std::function<void(epcscf::TokenAnswer)> on_answer) override;

 private:
  class Core;
  explicit IntrospectingChecker(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;
};

}  // namespace turnpike::service
