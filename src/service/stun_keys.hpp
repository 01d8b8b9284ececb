#pragma once
// The keys that a TURN server fetches from an authorization server (RFC 7635 section 4.1.1), as they travel:
// the one key that the RFC has, and members of ours where there are any ("keys", "withdrawn",
// "refresh_after", and "accepted_until" of a key; docs/keys.md).

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/token.hpp"

namespace turnpike::service {

struct StunKey {
  std::string kid{};
  Secret key{};
  credentials::TokenAlgorithm algorithm = credentials::TokenAlgorithm::a256gcm;
  WallTime ends_at{};         // "exp": nothing is made with it any more
  WallTime accepted_until{};  // what was made with it has ended
};

struct StunKeys {
  std::vector<StunKey> keys{};           // the newest first; at least one
  std::vector<std::string> withdrawn{};  // kids of keys that have leaked: nothing of theirs is accepted
  std::optional<std::chrono::seconds> refresh_after{};
};

struct StunKeyRules {
  std::string kid_prefix{};         // which all kids begin with
  std::chrono::seconds keep{3600};  // from "exp" on, where the answer has no "accepted_until"
};

inline constexpr std::size_t stun_answer_bytes_max = std::size_t{64} * 1024;
inline constexpr std::size_t stun_keys_max = 16;  // of one answer, and as many withdrawn ones
inline constexpr std::size_t stun_kid_bytes_max =
    128;  // so that a kid derived from it, and a token, fit a USERNAME

// A sentence that repeats no key where the text is something else.
std::expected<StunKeys, std::string> parse_stun_keys(std::string_view body, const StunKeyRules& rules);

// IMF-fixdate of RFC 9110 section 5.6.7, the form that is sent.
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace turnpike::service
