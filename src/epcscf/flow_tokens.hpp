#pragma once
// Flow tokens (RFC 5626 section 5.2): what this node writes as the user of its own URI into Path and
// Record-Route, so that requests find the WIC's connection again. Sealed, so that nobody makes one up; the
// key lives as long as the process, as connections do.

#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "epcscf/effects.hpp"
#include "sip/hop.hpp"

namespace turnpike::epcscf {

enum class TokenUse : std::uint8_t { path = 1, record_route = 2 };

struct FlowToken {
  TokenUse use = TokenUse::path;
  FlowId flow{};
  // Record-Route: where the WIC's requests within the dialog go from here. Without it the WIC's side is not
  // known yet, and the token serves the core alone.
  std::optional<sip::Hop> next{};
  bool operator==(const FlowToken&) const = default;
};

class FlowTokens {
 public:
  explicit FlowTokens(Random& random);

  [[nodiscard]] std::string seal(const FlowToken& token) const;  // base64url: a user of a URI
  // Nothing for what is not ours.
  [[nodiscard]] std::optional<FlowToken> open(std::string_view text) const;

 private:
  [[nodiscard]] ByteVector mac_of(Bytes content) const;
  Secret key_;
};

}  // namespace turnpike::epcscf
