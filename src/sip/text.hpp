#pragma once
// The characters of RFC 3261 section 25 and a scanner over a string view. Linear white space may hold a
// folded line end: the index of a message has made sure that a CRLF within a value is followed by a space or
// a tab.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::sip {

// Sets of characters, as bits.
enum CharacterSet : std::uint16_t {
  char_digit = 1 << 0,
  char_alpha = 1 << 1,
  char_token = 1 << 2,
  char_white = 1 << 3,       // SP, HTAB, CR, LF
  char_user = 1 << 4,        // of a URI's user and password, without "%"
  char_host = 1 << 5,        // of a name, an IPv4 address or what stands in the brackets of an IPv6 address
  char_uri_param = 1 << 6,   // paramchar, without "%"
  char_uri_header = 1 << 7,  // of hname and hvalue, without "%"
  char_value = 1 << 8,       // of an unquoted parameter: what no delimiter of a header begins with
  char_uri = 1 << 9,         // of an absolute URI
  char_word = 1 << 10,       // of a Call-ID
  char_token68 = 1 << 11,    // RFC 7235 section 2.1, without "="
};
extern const std::array<std::uint16_t, 256> character_sets;

inline bool is_in(char character, unsigned sets) {
  return (character_sets[static_cast<unsigned char>(character)] & sets) != 0;
}
bool consists_of(std::string_view text, unsigned sets);  // and is not empty

constexpr char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character + ('a' - 'A')) : character;
}
std::string to_lower(std::string_view text);
inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  return true;
}

// Without linear white space at both ends.
std::string_view trimmed(std::string_view text);
inline bool is_token(std::string_view text) { return consists_of(text, char_token); }

// Digits alone; nothing when there is none or the value is above `max`.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max);

// The value of two hexadecimal digits.
std::optional<char> parse_hex_pair(std::string_view text);
// Each "%" is followed by two hexadecimal digits, everything else is in the sets.
bool is_escaped_text(std::string_view text, unsigned sets);

// "a\"b" for a"b. Line ends and other control characters become spaces.
std::string quoted_string(std::string_view text);
// Without the quotes and escapes of a quoted string; other text stays as it is.
std::string unquoted(std::string_view text);

class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  [[nodiscard]] bool at_end() const { return at_ == end_; }
  [[nodiscard]] std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }
  [[nodiscard]] const char* position() const { return at_; }
  [[nodiscard]] bool sees(char character) const { return at_ != end_ && *at_ == character; }
  [[nodiscard]] bool sees_any(unsigned sets) const { return at_ != end_ && is_in(*at_, sets); }
  // From a position that was taken earlier up to here.
  [[nodiscard]] std::string_view since(const char* start) const {
    return {start, static_cast<std::size_t>(at_ - start)};
  }

  bool accept(char character) {
    if (!sees(character)) return false;
    ++at_;
    return true;
  }
  // The character with white space around it: SLASH, SEMI, EQUAL and their like.
  bool accept_separator(char character) {
    if (sees(character)) {  // mostly without white space before it
      ++at_;
      skip_white();
      return true;
    }
    return sees_any(char_white) && accept_separator_behind_white(character);
  }
  bool accept_word(std::string_view word);  // ignoring case
  void skip_white() { take(char_white); }
  void skip(std::size_t count) { at_ += count; }
  std::string_view take(unsigned sets) {
    // Locals, for a compiler must take it that characters may be part of this object.
    const char* const start = at_;
    const char* const end = end_;
    const char* at = start;
    while (at != end && is_in(*at, sets)) ++at;
    at_ = at;
    return {start, static_cast<std::size_t>(at - start)};
  }
  // The quoted string that begins here, with its quotes; nothing, and no step, when there is none.
  std::optional<std::string_view> take_quoted();

 private:
  bool accept_separator_behind_white(char character);

  const char* at_;
  const char* end_;
};

}  // namespace turnpike::sip
