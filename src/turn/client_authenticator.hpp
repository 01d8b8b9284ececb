#pragma once
// How the client proves itself and how it knows that an answer is the server's: the long-term mechanism of
// RFC 8489 section 9.2 and the tokens of RFC 7635. Private to turn::Client.

#include <cstdint>
#include <expected>
#include <optional>

#include "credentials/grant.hpp"
#include "stun/message.hpp"
#include "turn/client.hpp"

namespace turnpike::turn {

// How one request was protected, so that its answer is held against the same key.
struct ClientProtection {
  credentials::Key key;          // empty: sent without a credential
  std::uint32_t generation = 0;  // of credential and realm
  bool sha256_only = false;      // the answer must carry MESSAGE-INTEGRITY-SHA256
  bool is_used() const { return !key.empty(); }
};

class ClientAuthenticator {
 public:
  ClientAuthenticator(ClientCredential credential, bool password_algorithms, bool username_anonymity);

  void change_credential(ClientCredential credential);

  // Takes realm, nonce and algorithms of a 401 or 438 and keeps them for the next request.
  std::expected<void, ClientFailure::Kind> adopt_challenge(const stun::Message& challenge);
  // SOFTWARE and the like, of any answer.
  void describe_server(const stun::Message& answer);

  // Would a retry say anything that the refused request did not say?
  bool has_news_for(const ClientProtection& refused) const {
    return !refused.is_used() || refused.generation != generation_;
  }

  // Adds credential and integrity, once the server has asked for them.
  ClientProtection protect(stun::Writer& writer, bool with_token) const;
  bool is_authentic(const stun::Message& answer, const ClientProtection& protection) const;
  // An authentic answer under MESSAGE-INTEGRITY-SHA256 ends the use of MESSAGE-INTEGRITY.
  void learn_from(const stun::Message& authentic_answer);

  const ServerDescription& server() const { return server_; }
  std::size_t size_hint() const;  // bytes that protect() may add, at most

 private:
  void derive_key();
  void add_identity(stun::Writer& writer, bool with_token) const;

  ClientCredential credential_;
  ServerDescription server_;
  credentials::Key key_;
  credentials::Userhash userhash_{};
  std::uint32_t generation_ = 1;
  bool password_algorithms_ = true;
  bool username_anonymity_ = true;
  bool algorithms_in_use_ = false;
  bool userhash_in_use_ = false;
  bool sha256_only_ = false;
  credentials::PasswordAlgorithm algorithm_ = credentials::PasswordAlgorithm::md5;
};

}  // namespace turnpike::turn
