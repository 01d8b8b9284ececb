#pragma once
// For tests: a WAF with keys, the tokens that it makes, and what a checker answers in its loop.

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "jose/test_tokens.hpp"
#include "service/token_checker.hpp"

namespace turnpike::service {

struct TestIssuer {
  jose::TestKey key = jose::TestKey::ec();
  std::string kid = "k1";

  [[nodiscard]] std::string key_set() const { return jose::key_set_of({key.jwk(kid)}); }
  [[nodiscard]] static nlohmann::json claims() {
    const auto now = unix_seconds(read_clocks().wall);
    return {{"iss", "https://waf.example"},
            {"aud", "epcscf"},
            {"iat", now},
            {"exp", now + 300},
            {"active", true},
            {"impi", "alice@ims.example"},
            {"impus", {"sip:alice@ims.example"}}};
  }
  [[nodiscard]] std::string token(const nlohmann::json& payload = claims()) const {
    return key.sign({{"alg", "ES256"}, {"kid", kid}, {"typ", "at+jwt"}}, payload.dump());
  }
};

inline std::string describe(const epcscf::TokenAnswer& answer) {
  if (answer) return answer->impi;
  switch (answer.error()) {
    case epcscf::TokenRefusal::malformed:
      return "malformed";
    case epcscf::TokenRefusal::invalid:
      return "invalid";
    case epcscf::TokenRefusal::expired:
      return "expired";
    case epcscf::TokenRefusal::not_yet_valid:
      return "not_yet_valid";
    case epcscf::TokenRefusal::bound:
      return "bound";
    case epcscf::TokenRefusal::unavailable:
      return "unavailable";
  }
  return "";
}

inline std::vector<std::string> check_all(boost::asio::io_context& loop, TokenChecker& checker,
                                          const std::vector<std::string>& tokens) {
  std::vector<std::string> answers;
  bool is_inside = true;
  for (const std::string& token : tokens)
    checker.check(token, [&](const epcscf::TokenAnswer& answer) {
      answers.push_back(is_inside ? "answered too early" : describe(answer));
    });
  is_inside = false;
  while (answers.size() < tokens.size()) loop.run_one();
  return answers;
}

inline std::string check_one(boost::asio::io_context& loop, TokenChecker& checker, const std::string& token) {
  return check_all(loop, checker, {token}).front();
}

}  // namespace turnpike::service
