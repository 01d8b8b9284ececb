#pragma once
// The source of self-contained tokens, in both wire forms:
//
//   RFC 7635      USERNAME = kid, ACCESS-TOKEN = token; the integrity key is the mac_key
//   browser form  USERNAME = kid "." base64url(token), split at the last '.'; the integrity key is the HA1 of
//                 that username with the password base64(mac_key)
//
// A policy in the token is for the browser form: RFC 7635 section 6.2 leaves no room for it.

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/attempt.hpp"
#include "credentials/grant.hpp"
#include "credentials/sources.hpp"

namespace turnpike::credentials {

Secret make_browser_password(const Secret& mac_key);

class TokenKeys {
 public:
  TokenKeys(TokenSettings settings, std::string_view realm);

  [[nodiscard]] Verdict verify_access_token(Attempt& attempt) const;
  [[nodiscard]] Verdict verify_browser_form(Attempt& attempt) const;
  [[nodiscard]] Effort access_token_effort() const;
  [[nodiscard]] Effort browser_form_effort() const;

  // The key that opened the grant's token is valid today.
  [[nodiscard]] bool still_opens(const Grant& grant, WallTime wall) const;
  // Its issuer is trusted no more.
  [[nodiscard]] bool is_withdrawn(std::string_view kid) const;
  // What a kid alone says, without a token: for people who ask.
  [[nodiscard]] Verdict explain_kid(std::string_view kid, WallTime wall) const;

  [[nodiscard]] const std::string& server_name() const { return settings_.server_name; }
  [[nodiscard]] bool accepts_browser_form() const { return settings_.browser_form; }
  [[nodiscard]] bool derives_keys() const { return derives_; }

 private:
  struct Chosen {
    const TokenKey* key = nullptr;
    std::string_view kid;
    std::string_view suffix;  // of a derived kid
  };
  struct Opened {
    TokenContent content;
    Grant grant;  // all but the key
  };
  [[nodiscard]] const TokenKey* find_exactly(std::string_view kid, WallTime wall) const;
  [[nodiscard]] std::optional<Chosen> find_key(std::string_view kid, WallTime wall) const;
  [[nodiscard]] std::optional<std::string_view> find_kid(const Claim& claim) const;
  [[nodiscard]] std::expected<Opened, Refusal> open(Attempt& attempt, const Chosen& chosen, Bytes token,
                                                    const crypto::Sha256& token_hash) const;
  [[nodiscard]] bool proves(Attempt& attempt, const Secret& mac_key, Key& key) const;
  [[nodiscard]] bool tries_two_keys() const { return settings_.mac_key == MacKeyRule::automatic; }

  TokenSettings settings_;
  bool derives_ = false;
  std::map<std::string, std::size_t, std::less<>> by_kid_;
  std::map<Userhash, std::size_t> by_userhash_;
};

}  // namespace turnpike::credentials
