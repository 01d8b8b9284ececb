#include "base/utf8.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace turnpike {
namespace {

// The bytes of a character by its first byte, and the range of its second; 0 where no character starts so.
struct Lead {
  std::size_t size;
  Byte second_min;
  Byte second_max;
};

Lead lead_of(Byte first) {
  if (first < 0xc2) return {0, 0, 0};
  if (first < 0xe0) return {2, 0x80, 0xbf};
  if (first == 0xe0) return {3, 0xa0, 0xbf};  // below are overlong forms
  if (first == 0xed) return {3, 0x80, 0x9f};  // above are surrogates
  if (first < 0xf0) return {3, 0x80, 0xbf};
  if (first == 0xf0) return {4, 0x90, 0xbf};  // below are overlong forms
  if (first < 0xf4) return {4, 0x80, 0xbf};
  if (first == 0xf4) return {4, 0x80, 0x8f};  // above is beyond U+10FFFF
  return {0, 0, 0};
}

// The size of the character that is no ASCII at the start of the bytes, or 0.
std::size_t character_size(Bytes bytes) {
  const Lead lead = lead_of(bytes[0]);
  if (lead.size == 0 || bytes.size() < lead.size) return 0;
  if (bytes[1] < lead.second_min || bytes[1] > lead.second_max) return 0;
  const Bytes rest = bytes.subspan(2, lead.size - 2);
  const bool continues =
      std::all_of(rest.begin(), rest.end(), [](Byte byte) { return (byte & 0xc0) == 0x80; });
  return continues ? lead.size : 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const Bytes bytes = as_bytes(text);
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t size = bytes[at] < 0x80 ? 1 : character_size(bytes.subspan(at));
    if (size == 0) return false;
    at += size;
  }
  return true;
}

}  // namespace turnpike
