#pragma once
// The signature algorithms of RFC 7518 section 3.1 that are taken. "none" is not among them.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace turnpike::jose {

enum class Algorithm : std::uint8_t { rs256, ps256, es256, hs256 };

std::optional<Algorithm> parse_algorithm(std::string_view name);  // "RS256"; names differ by case (RFC 7515)
std::string_view to_string(Algorithm algorithm);

class AlgorithmSet {
 public:
  constexpr AlgorithmSet() = default;
  constexpr AlgorithmSet(std::initializer_list<Algorithm> algorithms) {
    for (const Algorithm algorithm : algorithms) insert(algorithm);
  }
  constexpr void insert(Algorithm algorithm) { bits_ |= bit(algorithm); }
  [[nodiscard]] constexpr bool contains(Algorithm algorithm) const { return (bits_ & bit(algorithm)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  bool operator==(const AlgorithmSet&) const = default;

 private:
  static constexpr unsigned bit(Algorithm algorithm) { return 1U << static_cast<unsigned>(algorithm); }
  unsigned bits_ = 0;
};

// Those whose verifier cannot sign.
inline constexpr AlgorithmSet public_key_algorithms{Algorithm::rs256, Algorithm::ps256, Algorithm::es256};

}  // namespace turnpike::jose
