#include "base/percent.hpp"

#include "base/bytes.hpp"

namespace turnpike {
namespace {

constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

std::optional<char> parse_hex_pair(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const auto byte = from_hex(text.substr(0, 2));
  return byte ? std::optional{static_cast<char>(byte->front())} : std::nullopt;
}

}  // namespace

std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') {
      const auto character = parse_hex_pair(text.substr(at + 1));
      if (!character) return std::nullopt;
      decoded += *character;
      at += 2;
    } else {
      decoded += plus_is_space && text[at] == '+' ? ' ' : text[at];
    }
  }
  return decoded;
}

std::string encode_percent(std::string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (const char character : text) {
    if (unreserved.contains(character)) {
      encoded += character;
    } else {
      // RFC 3986 section 2.1: the digits are in upper case.
      constexpr std::string_view digits = "0123456789ABCDEF";
      const auto byte = static_cast<Byte>(character);
      encoded += {'%', digits[byte >> 4], digits[byte & 0xf]};
    }
  }
  return encoded;
}

std::string encode_basic_authorization(std::string_view client_id, std::string_view client_secret) {
  const std::string joined = encode_percent(client_id) + ':' + encode_percent(client_secret);
  return "Basic " + to_base64(as_bytes(joined));
}

}  // namespace turnpike
