#include "base/bytes.hpp"

#include <array>

namespace turnpike {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr Byte no_digit = 0xff;

constexpr std::array<Byte, 256> reverse(std::string_view digits) {
  std::array<Byte, 256> table{};
  table.fill(no_digit);
  for (std::size_t i = 0; i < digits.size(); ++i) table[static_cast<Byte>(digits[i])] = static_cast<Byte>(i);
  return table;
}

constexpr auto base64_values = reverse(base64_digits);
constexpr auto base64url_values = reverse(base64url_digits);

std::string encode64(Bytes bytes, std::string_view digits) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const Byte byte : bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 6; count -= 6) text.push_back(digits[(bits >> (count - 6)) & 0x3f]);
  }
  if (count > 0) text.push_back(digits[(bits << (6 - count)) & 0x3f]);
  return text;
}

std::optional<ByteVector> decode64(std::string_view text, const std::array<Byte, 256>& values) {
  if (text.size() % 4 == 1) return std::nullopt;
  ByteVector bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char character : text) {
    const Byte value = values[static_cast<Byte>(character)];
    if (value == no_digit) return std::nullopt;
    bits = (bits << 6) | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<Byte>(bits >> count));
    }
  }
  if ((bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace

std::string to_hex(Bytes bytes) {
  std::string text(bytes.size() * 2, '\0');
  char* at = text.data();
  for (const Byte byte : bytes) {
    *at++ = hex_digits[byte >> 4];
    *at++ = hex_digits[byte & 15];
  }
  return text;
}

std::optional<ByteVector> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  ByteVector bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    for (const char character : text.substr(i, 2)) {
      const char lower = character >= 'A' && character <= 'F' ? static_cast<char>(character + 32) : character;
      const auto digit = hex_digits.find(lower);
      if (digit == std::string_view::npos) return std::nullopt;
      value = value * 16 + static_cast<unsigned>(digit);
    }
    bytes.push_back(static_cast<Byte>(value));
  }
  return bytes;
}

std::string to_base64(Bytes bytes) {
  std::string text = encode64(bytes, base64_digits);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::optional<ByteVector> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return decode64(text, base64_values);
}

std::string to_base64url(Bytes bytes) { return encode64(bytes, base64url_digits); }

std::optional<ByteVector> from_base64url(std::string_view text) { return decode64(text, base64url_values); }

}  // namespace turnpike
