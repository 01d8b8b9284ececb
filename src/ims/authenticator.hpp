#pragma once
// Authenticator decides whether a REGISTER is its subscriber's: SIP Digest (TS 33.203 annex N, RFC 8760), IMS
// AKA over it (annex X) and Trusted Node Authentication (annex U), as TS 24.229 section 5.4.1 has them.
// Nonces keep no state until they have been answered rightly.

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/crypto.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "ims/aka.hpp"
#include "ims/settings.hpp"
#include "ims/subscribers.hpp"
#include "sip/digest.hpp"
#include "sip/message.hpp"
#include "sip/values.hpp"

namespace turnpike::ims {

enum class RefusalReason : std::uint8_t {
  unknown_identity,
  wrong_response,
  barred,
  identity_mismatch,  // the public identity is none of the private one's
  malformed,
  unavailable,  // the subscribers could not be written
  used_nonce,   // the right response, shown again (RFC 7616 section 5.5): challenged with stale=true
};
std::string_view to_string(RefusalReason reason);

struct Accepted {
  Subscriber subscriber{};
  std::string authentication_info{};  // empty: nothing was proved
};
struct Challenged {
  std::vector<std::string> rows{};  // of WWW-Authenticate
  bool is_replay = false;           // of a response that was taken before
};
struct Refused {
  std::uint16_t status_code = 403;
  RefusalReason reason{};
  std::string impi{};
};
using Verdict = std::variant<Accepted, Challenged, Refused>;

// What is known of the sender beside the message.
struct Sender {
  bool is_trusted = false;     // integrity-protected counts
  bool is_registered = false;  // the private identity has a binding already
};

class Authenticator {
 public:
  // All of them outlive the authenticator.
  Authenticator(const Settings& settings, Subscribers& subscribers, Random& random);

  // The Authorization of a REGISTER that is for us; a view of the message.
  [[nodiscard]] std::optional<sip::Credentials> find_authorization(const sip::Message& request) const;
  // The private identity that a REGISTER claims, by its Authorization or else by its To. Nothing for a To
  // that is no identity.
  [[nodiscard]] static std::optional<std::string> claimed_identity(
      const sip::Message& request, const std::optional<sip::Credentials>& authorization);
  Verdict judge(const std::optional<sip::Credentials>& authorization, std::string_view impi,
                std::string_view impu, const Sender& sender, Now now);
  [[nodiscard]] std::size_t nonce_count() const { return counts_.size(); }
  void on_timeout(Now now);

 private:
  struct Claim;
  struct NonceUse {
    std::string nonce;
    WallTime made_at{};
    std::uint32_t count_last = 0;
  };
  struct NonceUses {
    std::deque<NonceUse> uses;
    WallTime refused_until{};  // nonces made up to here are used up
    Instant used_at{};
  };
  [[nodiscard]] static std::optional<Claim> read_claim(const std::optional<sip::Credentials>& authorization,
                                                       bool is_trusted);
  Verdict judge_claim(const Claim& claim, const std::optional<Subscriber>& subscriber, std::string_view impi,
                      const Sender& sender, Now now);
  Verdict challenge(const Claim& claim, const std::optional<Subscriber>& subscriber, std::string_view impi,
                    bool is_stale, Now now);
  Verdict challenge_card(const Claim& claim, const Subscriber& subscriber, std::string_view impi, Now now);
  Verdict resynchronise(const Claim& claim, const std::optional<Subscriber>& subscriber,
                        std::string_view impi, Now now);
  [[nodiscard]] std::string make_row(std::string_view nonce, std::string_view algorithm, bool is_stale) const;
  [[nodiscard]] crypto::Sha256 mac_of(const AkaNonce& nonce, std::string_view impi) const;
  [[nodiscard]] std::string make_nonce(std::string_view impi, Now now);
  // When it was made; nothing for a nonce that is not ours, or another's.
  [[nodiscard]] std::optional<WallTime> nonce_time(std::string_view nonce, std::string_view impi) const;
  enum class NonceState : std::uint8_t { good, ended, used };
  [[nodiscard]] NonceState use_nonce(const Claim& claim, std::string_view impi, Now now);
  Verdict verify(const Claim& claim, const std::optional<Subscriber>& subscriber, std::string_view impi,
                 Now now);

  const Settings& settings_;
  Subscribers& subscribers_;
  Random& random_;
  std::array<Byte, 32> key_;
  std::map<std::string, NonceUses, std::less<>> counts_;
  Instant swept_at_{};
};

}  // namespace turnpike::ims
