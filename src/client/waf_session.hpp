#pragma once
// A WIC's session with a WAF: from the login to tokens, newer tokens for older ones, and their end. It
// blocks, and is used by one thread at a time.
//
// A user logs in with a browser, which brings the code to a listener of ours (RFC 8252), or by a name and a
// password that this client fills into the WAF's own form; a client with a secret may ask for tokens of its
// own.

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"
#include "client/http_exchange.hpp"
#include "client/oauth.hpp"
#include "client/web_login.hpp"

namespace turnpike::client {

enum class WafLoginWay : std::uint8_t { browser, form, client_credentials };
std::string_view to_string(WafLoginWay way);  // "browser", "form", "client_credentials"

struct WafSettings {
  std::string issuer{};
  std::string client_id = "wic";
  Secret client_secret{};  // shown by HTTP Basic; empty: a public client
  WafLoginWay way = WafLoginWay::browser;
  WebLogin login{};                                    // form
  std::string redirect_uri = "http://127.0.0.1/done";  // a browser: of loopback, and the port is ours
  std::string scope = "ims turn";
  std::chrono::seconds patience{300};  // with the user at the browser
  HttpExchangeSettings http{};
};

struct WafFailure {
  std::string found{};  // a clause
  std::string advice{};
  bool is_final = false;  // the WAF has said no: the same again would bring the same
};

// One message, as it happens; and one exchange, when it is over.
struct WafStep {
  bool is_sent = false;
  std::string message{};
  std::string detail{};
};
struct WafRoundTrip {
  Instant began{}, ended{};
};

class WafSession {
 public:
  struct Watcher {
    std::function<void(WafStep)> on_step{};
    std::function<void(WafRoundTrip)> on_round_trip{};
    std::function<void(const std::string& url)> on_url{};  // the user has to open it in a browser
    int interrupt = -1;  // a descriptor; once it can be read, nobody waits for a user
  };
  explicit WafSession(WafSettings settings) : settings_(std::move(settings)) {}

  std::expected<OAuthTokens, WafFailure> log_in(const Watcher& watcher);
  // By the refresh token; without one by what needs no user: a new login by form, or as the client.
  std::expected<OAuthTokens, WafFailure> renew(const Watcher& watcher);
  [[nodiscard]] bool can_renew() const {
    return !refresh_token_.empty() || settings_.way != WafLoginWay::browser;
  }
  // RFC 7009: ends the authorization, and with it what it has brought. Its failure is of no account.
  void end(const Watcher& watcher);

 private:
  using Tokens = std::expected<OAuthTokens, WafFailure>;
  std::expected<HttpReply, HttpFailure> fetch(HttpAsk ask, const std::string& detail, const Watcher& watcher);
  std::optional<WafFailure> discover(const Watcher& watcher);
  Tokens log_in_by_browser(const Watcher& watcher);
  Tokens log_in_by_form(const Watcher& watcher);
  Tokens redeem(const AuthorizationRequest& request, const std::string& redirect, const Watcher& watcher);
  Tokens ask_for_tokens(FormFields fields, const Watcher& watcher);
  [[nodiscard]] HttpAsk make_post(const std::string& url, FormFields fields) const;

  WafSettings settings_;
  SystemRandom random_{};
  std::optional<OAuthServer> server_{};
  Secret refresh_token_{};
};

}  // namespace turnpike::client
