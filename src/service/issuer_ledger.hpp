#pragma once
// Who has put which credentials here, and how far each issuer's numbered changes have come. A relay may have
// several issuers (the edges of one operator): what one of them sends anew leaves the others' alone.
//
// An issuer numbers its changes 1, 2, 3, ... within a stream, whose name it draws when it starts. A number
// that was seen is answered as before and changes nothing. A missing number, or a stream that is not known
// because either side has started anew, is a gap: the issuer then sends its full state.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/credential_json.hpp"

namespace turnpike::service {

class IssuerLedger {
 public:
  // How many of `count` changes, of which `first` is the first, were seen before; nothing: a gap.
  [[nodiscard]] std::optional<std::size_t> count_seen(std::string_view issuer, const StreamPosition& first,
                                                      std::size_t count) const;
  // All numbers up to this one are spent; a stream of another name begins with it.
  void advance(std::string_view issuer, const StreamPosition& last);
  [[nodiscard]] std::optional<StreamPosition> position(std::string_view issuer) const;
  // Whoever asks again after a lost answer has to hear again what was refused: of the last 10,000 refusals.
  void note_refusal(std::string_view issuer, std::uint64_t sequence, credentials::PushOutcome outcome);
  [[nodiscard]] std::optional<credentials::PushOutcome> refusal(std::string_view issuer,
                                                                std::uint64_t sequence) const;

  void note_put(std::string_view issuer, const std::string& username, WallTime expires_at, WallTime wall);
  void note_gone(const std::string& username);
  // What this issuer has put here, has not ended and is not named in `kept`, with its end.
  [[nodiscard]] std::vector<credentials::Revocation> find_others(
      std::string_view issuer, const std::vector<credentials::PushedCredential>& kept, WallTime wall) const;

  [[nodiscard]] std::size_t size() const { return owners_.size(); }

 private:
  struct Owner {
    std::string issuer;
    WallTime expires_at{};
  };
  struct Issuer {
    StreamPosition position{};
    std::map<std::uint64_t, credentials::PushOutcome> refusals{};  // by sequence
  };
  void drop_ended(WallTime wall);

  std::map<std::string, Issuer, std::less<>> issuers_;
  std::map<std::string, Owner, std::less<>> owners_;  // by username
  std::size_t drops_at_ = 1024;                       // owners, before the ended ones are looked for
};

}  // namespace turnpike::service
