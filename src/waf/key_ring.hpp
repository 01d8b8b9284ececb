#pragma once
// The keys that sign access tokens, and their succession: a key is published before it signs, and stays
// published for as long as a token that it has signed can live.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "jose/key_set.hpp"
#include "jose/signing_key.hpp"
#include "waf/ledger.hpp"
#include "waf/settings.hpp"

namespace turnpike::waf {

class KeyRing {
 public:
  // A sentence where a stored key cannot be used.
  static std::expected<KeyRing, std::string> open(Ledger& ledger);

  // Makes what the rules ask for: a first key, which signs at once, and the next one in time; drops keys that
  // have ended. `tokens_live` is how long what a key signs is valid. True where something has changed. To be
  // called at the start and then at least as often as `published_before` lasts.
  bool rotate(Ledger& ledger, const KeyRules& rules, std::chrono::seconds tokens_live, WallTime now);
  // For when a key has leaked: nothing that it signed is accepted any more, and another one signs at once.
  // False where there is no such key; then nothing happens.
  bool replace(Ledger& ledger, const KeyRules& rules, std::chrono::seconds tokens_live, std::string_view kid,
               WallTime now);
  // Publishes the next key now, whose turn comes when every verifier has fetched it. Its kid; nothing where a
  // next one is published already.
  std::optional<std::string> add_successor(Ledger& ledger, const KeyRules& rules,
                                           std::chrono::seconds tokens_live, WallTime now);
  [[nodiscard]] bool has_same_keys(const KeyRing& other) const;

  // The key that signs at this time; there is one after rotate().
  [[nodiscard]] const jose::SigningKey* find_signer(WallTime now) const;
  // {"keys":[...]}: of all that verify now or will sign soon.
  [[nodiscard]] std::string format_jwks(WallTime now) const;
  // The same keys, for verifying what we have signed ourselves.
  [[nodiscard]] const jose::KeySet& verifiers() const { return verifiers_; }

 private:
  struct Entry {
    jose::SigningKey key;
    WallTime published_at{}, signs_from{}, signs_until{}, published_until{};
  };
  void add(Ledger& ledger, const KeyRules& rules, std::chrono::seconds tokens_live, WallTime published_at,
           WallTime signs_from);
  void collect_verifiers();

  std::vector<Entry> entries_;  // in the order in which they begin to sign
  jose::KeySet verifiers_;
};

}  // namespace turnpike::waf
