#pragma once
// The keys that TURN servers fetch (RFC 7635 section 4.1.1), and their succession: each TURN server has keys
// of its own, a key is published before it is used, and accepted for as long as a token that it has sealed
// can live.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "waf/ledger.hpp"
#include "waf/settings.hpp"

namespace turnpike::waf {

inline constexpr std::size_t turn_keys_per_server_max = 8;  // at a time; more are not begun

// Why this cannot begin the kids of a WAF, or nothing: it has 1 to 16 letters, digits, "-" and "_".
std::optional<std::string> find_kid_prefix_problem(std::string_view prefix);

class TurnKeyRing {
 public:
  // A sentence where the ledger cannot be read.
  static std::expected<TurnKeyRing, std::string> open(Ledger& ledger);

  // Reads what other processes have changed, makes what the rules ask for (a first key of each TURN server,
  // which is used at once, and the next one in time), and drops keys that have ended. True where something
  // has changed; a sentence where the ledger cannot be read or written. To be called at the start and then at
  // least as often as `published_before` lasts.
  std::expected<bool, std::string> rotate(Ledger& ledger, const Settings& settings, WallTime now,
                                          Random& random);
  // The next key of a TURN server out of turn: published now, and used after `published_before`, or at once.
  // Its kid, or a sentence. rotate() has been called before.
  std::expected<std::string, std::string> begin_next(Ledger& ledger, const Settings& settings,
                                                     std::string_view server_name, bool at_once, WallTime now,
                                                     Random& random);
  // True where one of them was fetched for the first time.
  bool note_fetched(Ledger& ledger, std::string_view server_name, WallTime now);

  // The keys with which tokens for its TURN servers are made, in the order in which they are tried.
  void hand_out(Settings& settings, WallTime now) const;
  // Of one TURN server, the newest first, withdrawn ones included.
  [[nodiscard]] std::vector<const StoredTurnKey*> keys_of(std::string_view server_name) const;
  [[nodiscard]] const std::vector<StoredTurnKey>& keys() const { return keys_; }
  // TURN servers whose newest key is due, and nobody has fetched it.
  [[nodiscard]] std::vector<std::string> find_unfetched(const Settings& settings, WallTime now) const;

 private:
  bool keep(Ledger& ledger, const Settings& settings, const TurnTarget& target, WallTime now, Random& random);
  const StoredTurnKey* add(Ledger& ledger, const Settings& settings, const TurnTarget& target, WallTime now,
                           WallTime used_from, Random& random);

  std::vector<StoredTurnKey> keys_;  // in the order in which they begin to be used
};

}  // namespace turnpike::waf
