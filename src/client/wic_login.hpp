#pragma once
// What a WIC (WebRTC IMS Client) proves itself with when it registers, and how it answers a challenge: SIP
// Digest (RFC 3261 section 22, RFC 8760) and Bearer tokens in both spellings (TS 24.371; RFC 8898). No
// sockets and no clock.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "ims/subscribers.hpp"
#include "sip/message.hpp"

namespace turnpike::client {

struct DigestLogin {
  std::string username{};  // the IMPI: "alice@ims.example"
  Secret password{};
};
// A card in software (TS 33.102).
struct AkaLogin {
  std::string username{};
  ims::AkaSecret card{};  // its sqn is the highest that was accepted
};
enum class BearerSpelling : std::uint8_t {
  access_token,  // TS 24.371: Bearer access_token="..."
  bare,          // RFC 8898: Bearer and the token
};
struct BearerLogin {
  Secret token{};
  BearerSpelling spelling = BearerSpelling::access_token;
};
using WicLogin = std::variant<DigestLogin, AkaLogin, BearerLogin>;

enum class LoginRefusal : std::uint8_t {
  wrong_secret,         // the answer to a fresh challenge was refused
  unknown_challenge,    // no scheme or algorithm that this login can answer
  too_many_challenges,  // the server keeps calling its nonces stale
  network_not_genuine,  // AKA: whoever challenges does not know K
  out_of_step,          // AKA: the SQN is an old one again, after a resynchronisation
  token_refused,        // Bearer
};

class WicAuthenticator {
 public:
  WicAuthenticator(WicLogin login, std::string home, Random& random)
      : login_(std::move(login)), home_(std::move(home)), random_(random) {}

  // What later requests are proved by: a newer token of the same holder, above all. A challenge that is being
  // answered belongs to the older one.
  void change_login(WicLogin login) {
    login_ = std::move(login);
    challenge_.reset();
  }

  // A new request, not the repetition of one that was challenged.
  void begin() {
    challenges_ = 0;
    has_answered_ = has_resynchronised_ = false;
  }
  // The value of the next Authorization, and its name.
  struct Header {
    sip::HeaderName name = sip::HeaderName::authorization;
    std::string value{};
  };
  [[nodiscard]] Header authorize(std::string_view method, std::string_view uri);
  // A 401 or 407. Nothing wrong: send the request again.
  [[nodiscard]] std::expected<void, LoginRefusal> on_challenge(const sip::Message& response);
  // What the server says of a token: "invalid_token"; empty where it says nothing.
  [[nodiscard]] const std::string& token_error() const { return token_error_; }
  [[nodiscard]] std::string_view username() const;
  // Of the answer that was given last: "MD5", "SHA-256", "AKAv2-SHA-256", "Bearer"; "" before.
  [[nodiscard]] const std::string& method_name() const { return method_name_; }

 private:
  struct Challenge {
    std::string text;  // the value of its header
    sip::HeaderName answer = sip::HeaderName::authorization;
    std::uint32_t nonce_count = 0;
    bool is_stale = false;
    Secret password{};   // AKA: made of the challenge
    std::string auts{};  // AKA: asks for resynchronisation, with an empty password
  };
  [[nodiscard]] std::optional<Challenge> choose(const sip::Message& response) const;
  [[nodiscard]] int preference(std::string_view value) const;
  [[nodiscard]] std::expected<void, LoginRefusal> on_digest(Challenge challenge);
  [[nodiscard]] std::expected<void, LoginRefusal> on_aka(AkaLogin& login, Challenge challenge);
  [[nodiscard]] std::expected<void, LoginRefusal> refuse_token(const sip::Message& response);
  [[nodiscard]] std::string empty_digest(std::string_view uri) const;

  WicLogin login_;
  std::string home_;
  Random& random_;
  std::optional<Challenge> challenge_;  // the one that is answered, again and again while the nonce lasts
  int challenges_ = 0;                  // of this request
  bool has_answered_ = false;
  bool has_resynchronised_ = false;
  std::string token_error_{};
  std::string method_name_{};
};

}  // namespace turnpike::client
