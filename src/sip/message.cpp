#include "sip/message.hpp"

#include <algorithm>
#include <utility>

#include "sip/text.hpp"

namespace turnpike::sip {
namespace {

constexpr std::string_view version = "SIP/2.0";
constexpr std::size_t name_size_max = 255;

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return (byte < 0x20 && character != '\t') || byte == 0x7f;
}

// In blocks of a fixed size, which compilers turn into vector instructions.
std::size_t count_controls(std::string_view text) {
  constexpr std::size_t block = 64;
  std::size_t count = 0;
  std::size_t at = 0;
  for (; at + block <= text.size(); at += block) {
    std::uint8_t in_block = 0;
    for (std::size_t i = 0; i < block; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      in_block = static_cast<std::uint8_t>(in_block + ((byte < 0x20) & (byte != '\t')) + (byte == 0x7f));
    }
    count += in_block;
  }
  return count + static_cast<std::size_t>(
                     std::count_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_control));
}

// Line ends, and what a backslash escapes (RFC 3261 quoted-pair); a bare CR or LF cannot be escaped.
bool has_legal_controls_alone(std::string_view rows) {
  for (std::size_t at = 0; at < rows.size(); ++at) {
    if (!is_control(rows[at])) continue;
    if (rows[at] == '\r' && at + 1 < rows.size() && rows[at + 1] == '\n')
      ++at;
    else if (rows[at] == '\r' || rows[at] == '\n' || at == 0 || rows[at - 1] != '\\')
      return false;
  }
  return true;
}

std::string_view without_leading_line_ends(std::string_view text) {
  while (text.starts_with("\r\n")) text.remove_prefix(2);
  return text;
}

}  // namespace

bool Header::is_named(std::string_view text) const {
  const HeaderName known = find_header_name(text);
  return known == name && (known != HeaderName::other || equal_ignoring_case(name_text, text));
}

bool is_keep_alive(std::string_view text) { return !text.empty() && without_leading_line_ends(text).empty(); }

bool is_sendable(std::string_view text) {
  // Most are far from every limit, and not read again.
  const Limits limits;
  const bool is_small = text.size() <= limits.header_bytes_max &&
                        static_cast<std::size_t>(std::ranges::count(text, '\n')) <= limits.headers_max;
  return is_small || Message::parse(text, limits).has_value();
}

Parsed<Message> Message::parse(std::string_view text, const Limits& limits) {
  Parsed<Message> message{std::in_place, Blank{}};
  if (const auto defect = message->read(text, limits)) message = std::unexpected(ParseError{*defect});
  return message;
}

std::optional<Message> Message::salvage(std::string_view text, const Limits& limits) {
  std::optional<Message> message{std::in_place, Blank{}};
  const auto defect =
      message->read(text.substr(0, std::min(limits.message_bytes_max, message_bytes_bound)), limits);
  if (defect == Defect::empty || defect == Defect::no_start_line || message->is_response())
    return std::nullopt;
  return message;
}

std::optional<Defect> Message::read(std::string_view text, const Limits& limits) {
  limits_ = limits;
  if (text.size() > std::min(limits.message_bytes_max, message_bytes_bound)) return Defect::message_too_long;
  text_ = without_leading_line_ends(text);
  if (text_.empty()) return Defect::empty;
  const std::size_t end = text_.find('\n');
  if (end == std::string_view::npos || end == 0 || text_[end - 1] != '\r') return Defect::no_start_line;
  start_line_size_ = end + 1;
  headers_end_ = body_begin_ = start_line_size_;
  // What is wrong with the start line is told at the end, so that a salvaged message has its rows.
  const auto defect = read_start_line(text_.substr(0, end - 1));
  if (defect == Defect::no_start_line) return defect;
  const auto defect_of_rows = read_rows();
  return defect ? defect : defect_of_rows;
}

std::optional<Defect> Message::read_start_line(std::string_view line) {
  if (equal_ignoring_case(line.substr(0, 4), "SIP/")) return read_status_line(line);
  return read_request_line(line);
}

// A response without its reason and the space before it is in use, and harmless.
std::optional<Defect> Message::read_status_line(std::string_view line) {
  Scanner scanner{line};
  if (!scanner.accept_word(version) || !scanner.accept(' ')) return Defect::no_start_line;
  const std::string_view digits = scanner.take(char_digit);
  const auto code = parse_number(digits, 699);
  if (digits.size() != 3 || !code || *code < 100) return Defect::no_start_line;
  if (!scanner.at_end() && !scanner.accept(' ')) return Defect::no_start_line;
  status_code_ = static_cast<std::uint16_t>(*code);
  target_ = scanner.rest();
  return std::nullopt;
}

// RFC 3261 section 7.1: single spaces, and no white space within the URI.
std::optional<Defect> Message::read_request_line(std::string_view line) {
  const std::size_t method_end = line.find(' ');
  const std::size_t version_begin = line.rfind(' ');
  if (method_end == std::string_view::npos || !is_token(line.substr(0, method_end)))
    return Defect::no_start_line;
  method_text_ = line.substr(0, method_end);
  method_ = find_method(method_text_);
  const std::string_view found = line.substr(version_begin + 1);
  if (version_begin <= method_end + 1) return Defect::malformed_request_line;
  target_ = line.substr(method_end + 1, version_begin - method_end - 1);
  if (target_.find_first_of(" \t") != std::string_view::npos || found.empty())
    return Defect::malformed_request_line;
  if (!equal_ignoring_case(found.substr(0, 4), "SIP/")) return Defect::no_start_line;
  return equal_ignoring_case(found, version) ? std::nullopt : std::optional{Defect::unsupported_version};
}

std::optional<Defect> Message::read_rows() {
  std::size_t at = start_line_size_;
  std::size_t lines = 1;
  while (true) {
    const std::size_t end = text_.find('\n', at);
    if (end == std::string_view::npos) return Defect::end_of_headers_missing;
    if (end == at || text_[end - 1] != '\r') return Defect::illegal_character;
    if (end == at + 1) break;
    ++lines;
    const bool is_fold = text_[at] == ' ' || text_[at] == '\t';
    if (const auto defect = is_fold ? extend_row(at, end + 1) : add_row(at, end + 1)) return defect;
    at = headers_end_ = body_begin_ = end + 1;
  }
  body_begin_ = headers_end_ + 2;
  const std::string_view rows = text_.substr(0, headers_end_);
  if (count_controls(rows) != 2 * lines && !has_legal_controls_alone(rows)) return Defect::illegal_character;
  return std::nullopt;
}

std::optional<Defect> Message::add_row(std::size_t begin, std::size_t end) {
  if (count_ == std::min(limits_.headers_max, headers_bound)) return Defect::too_many_headers;
  if (end - begin > limits_.header_bytes_max) return Defect::header_too_long;
  Scanner scanner{slice(begin, end - 2)};
  const std::string_view name = scanner.take(char_token);
  if (name.empty() || name.size() > name_size_max || !scanner.accept_separator(':'))
    return Defect::header_without_colon;
  const std::string_view value = trimmed(scanner.rest());
  const auto value_begin = static_cast<std::size_t>(value.data() - text_.data());
  entries_[count_++] = Entry{.row_begin = static_cast<std::uint16_t>(begin),
                             .row_end = static_cast<std::uint16_t>(end),
                             .value_begin = static_cast<std::uint16_t>(value_begin),
                             .value_end = static_cast<std::uint16_t>(value_begin + value.size()),
                             .name_size = static_cast<std::uint8_t>(name.size()),
                             .name = find_header_name(name)};
  return std::nullopt;
}

std::optional<Defect> Message::extend_row(std::size_t begin, std::size_t end) {
  if (count_ == 0) return Defect::fold_before_headers;
  Entry& entry = entries_[count_ - 1];
  if (end - entry.row_begin > limits_.header_bytes_max) return Defect::header_too_long;
  const std::string_view more = trimmed(slice(begin, end));
  entry.row_end = static_cast<std::uint16_t>(end);
  if (more.empty()) return std::nullopt;
  const auto more_begin = static_cast<std::size_t>(more.data() - text_.data());
  if (entry.value_begin == entry.value_end) entry.value_begin = static_cast<std::uint16_t>(more_begin);
  entry.value_end = static_cast<std::uint16_t>(more_begin + more.size());
  return std::nullopt;
}

Header Message::header(std::size_t index) const {
  const Entry& entry = entries_[index];
  return {.name = entry.name,
          .name_text = text_.substr(entry.row_begin, entry.name_size),
          .value = slice(entry.value_begin, entry.value_end),
          .row = slice(entry.row_begin, entry.row_end)};
}

std::optional<std::size_t> Message::find_row(HeaderName name, std::size_t from) const {
  for (std::size_t i = from; i < count_; ++i)
    if (entries_[i].name == name) return i;
  return std::nullopt;
}

std::optional<Header> Message::find(HeaderName name) const {
  const auto row = find_row(name);
  return row ? std::optional{header(*row)} : std::nullopt;
}

std::optional<Header> Message::find(std::string_view name) const {
  if (const HeaderName known = find_header_name(name); known != HeaderName::other) return find(known);
  for (std::size_t i = 0; i < count_; ++i)
    if (entries_[i].name == HeaderName::other && header(i).is_named(name)) return header(i);
  return std::nullopt;
}

std::size_t Message::count(HeaderName name) const {
  const auto end = entries_.begin() + count_;
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), end, [=](const Entry& entry) { return entry.name == name; }));
}

Parsed<std::string_view> Message::body() const {
  const std::string_view whole = after_headers();
  const auto header = find(HeaderName::content_length);
  if (!header) return whole;
  const auto size = parse_number(header->value, UINT32_MAX);
  if (!size) return malformed(HeaderName::content_length);
  if (*size > whole.size()) return std::unexpected(ParseError{Defect::body_too_short});
  return whole.substr(0, *size);
}

}  // namespace turnpike::sip
