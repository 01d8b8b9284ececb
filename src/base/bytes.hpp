#pragma once
// Views of bytes, big-endian loads and stores, and the text forms of bytes (hex, base64, base64url).
// Decoders return nothing for malformed text; they never guess.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike {

using Byte = std::uint8_t;
using Bytes = std::span<const Byte>;
using MutableBytes = std::span<Byte>;
using ByteVector = std::vector<Byte>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteVector to_vector(Bytes bytes) { return {bytes.begin(), bytes.end()}; }
inline bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// The caller guarantees that the integer's bytes are there.
template <typename Integer>
Integer load_big(const Byte* at) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) value = static_cast<Integer>((value << 8) | at[i]);
  return value;
}
template <>
inline std::uint8_t load_big<std::uint8_t>(const Byte* at) {
  return *at;
}
template <typename Integer>
void store_big(Byte* at, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    at[i] = static_cast<Byte>(static_cast<std::uint64_t>(value) >> (8 * (sizeof(Integer) - 1 - i)));
}

std::string to_hex(Bytes bytes);
std::optional<ByteVector> from_hex(std::string_view text);

// RFC 4648 section 4, with padding; the decoder demands canonical padding and no foreign characters.
std::string to_base64(Bytes bytes);
std::optional<ByteVector> from_base64(std::string_view text);

// RFC 4648 section 5, without padding.
std::string to_base64url(Bytes bytes);
std::optional<ByteVector> from_base64url(std::string_view text);

}  // namespace turnpike
