// Any bytes as a signed token, as the parts of one, as claims and as a key set: what is read keeps the
// limits, and nothing is accepted that nobody signed. The first byte says which.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "jose/claims.hpp"
#include "jose/json.hpp"
#include "jose/key_set.hpp"
#include "jose/token.hpp"
#include "target.hpp"

namespace turnpike::jose {
namespace {

constexpr WallTime wall{std::chrono::seconds{1'893'456'000}};
constexpr AlgorithmSet all{Algorithm::rs256, Algorithm::ps256, Algorithm::es256, Algorithm::hs256};

// Its private half was thrown away.
const KeySet& published() {
  static const KeySet keys = *KeySet::parse(
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"8Upe2AUJI5KlbLxxxCydWW8RPXX4Q_KjKclbLQkLaqQ",)"
      R"("y":"WYyJbv5WQPha7ZVt7p1NVFx0EC6bhUIvB4vWSttVjU0"}]})",
      Limits{});
  return keys;
}

void check_token(std::string_view compact) {
  auto token = read_token(compact, Limits{});
  if (!token) return;
  check(token->payload.is_object() && token->compact.size() <= Limits{}.token_bytes_max,
        "a limit does not hold");
  check(!verify(std::move(*token), published(), all), "a token is accepted that nobody signed");
}

// The parts without their encoding, one line each, so that a fuzzer finds them sooner.
void check_parts(std::string_view text) {
  std::string compact;
  for (int part = 0; part < 3; ++part) {
    const auto end = text.find('\n');
    compact += (part == 0 ? "" : ".") + to_base64url(as_bytes(text.substr(0, end)));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  check_token(compact);
}

void check_claims(std::string_view text) {
  auto payload = parse_json(text, {.bytes_max = 8192, .depth_max = 8, .values_max = 512});
  if (!payload || !payload->is_object()) return;
  const ClaimRules rules{.issuer = "i", .audience = "a"};
  const auto claims = read_claims({"at+jwt", std::move(*payload)}, rules, wall);
  if (!claims) return;
  check(claims->expires_at > wall - rules.clock_skew, "claims are accepted after their end");
  check(is_for_audience(claims->payload, "a"), "claims are accepted that are for others");
}

}  // namespace
}  // namespace turnpike::jose

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike;
  if (size == 0) return 0;
  const std::string_view text = as_text({data + 1, size - 1});
  switch (data[0] % 4) {
    case 0:
      jose::check_token(text);
      break;
    case 1:
      jose::check_parts(text);
      break;
    case 2:
      jose::check_claims(text);
      break;
    default:
      if (const auto keys = jose::KeySet::parse(text, jose::Limits{}))
        check(keys->size() > 0 && keys->size() <= jose::Limits{}.keys_max, "a limit does not hold");
  }
  return 0;
}
