#pragma once
// What the machine says to a request: the answer, or what the shell has to do before there is one.

#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "base/secret.hpp"
#include "base/time.hpp"
#include "waf/message.hpp"

namespace turnpike::waf {

// A password to check, which takes long; then Server::on_password().
struct PasswordCheck {
  Secret password{};
  std::string stored{};  // for matches_password()
  // What is needed to go on; for answer_password() alone.
  std::string user{};   // empty: there is none of this name, and the check is for the sake of its time
  std::string name{};   // as it was typed
  std::string query{};  // the authorization request
};

// Something of an issuer is not known, or its keys may be too old: it is to be fetched, where that is due,
// and then the same is asked again by way of Server::on_fetched(), whatever became of it.
struct FetchNeeded {
  std::string issuer{};
  bool keys = false;  // beside the metadata
};

// A login at a provider that is under way, as its state says it.
struct ProviderLogin {
  std::string provider{};  // its name
  std::string query{};     // of the authorization request that the login is for
  WallTime began_at{};
  std::string state{}, nonce{}, verifier{};
  nlohmann::json claims{};  // of its ID token; null before that was verified
};

// A request to a provider; then Server::on_provider_answer().
struct ProviderCall {
  std::string method{};
  std::string url{};
  Fields fields{};     // contain secrets
  std::string body{};  // contains secrets
  ProviderLogin login{};
};
struct ProviderAnswer {
  unsigned status = 0;  // 0: there is none
  std::string body{};
};

using Reply = std::variant<Response, PasswordCheck, FetchNeeded, ProviderCall>;

}  // namespace turnpike::waf
