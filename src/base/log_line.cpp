#include "base/log_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <variant>

#include "base/bytes.hpp"

namespace turnpike {
namespace {

constexpr std::string_view name_of(LogLevel level) {
  constexpr std::array<std::string_view, 5> names{"trace", "debug", "info", "warn", "error"};
  return names[static_cast<std::size_t>(level)];
}

// The size of the well-formed UTF-8 sequence (RFC 3629 section 4) at the start of the text, or 0.
std::size_t utf8_sequence_size(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<Byte>(text[at]); };
  const Byte lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xc2 && lead <= 0xdf   ? 2
                           : (lead & 0xf0) == 0xe0        ? 3
                           : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                          : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t at = 1; at < size; ++at)
    if ((byte(at) & 0xc0) != 0x80) return 0;
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool too_large = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || too_large ? 0 : size;
}

// A terminal or a line reader must see one line: everything that could end it or steer it is spelled out.
bool needs_escape(Byte character) {
  return character < 0x20 || character == 0x7f || character == '"' || character == '\\';
}

bool is_bare(std::string_view value) {
  constexpr std::string_view plain = "-_.:/[]+@%,";
  return !value.empty() && std::ranges::all_of(value, [&](char character) {
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z') || plain.find(character) != std::string_view::npos;
  });
}

// Escapes that both formats share stand here; they differ in the spelling of other control characters and of
// bytes that are no text.
void append_quoted(std::string& line, std::string_view value, LogFormat format) {
  auto out = std::back_inserter(line);
  line += '"';
  while (!value.empty()) {
    const std::size_t size = utf8_sequence_size(value);
    const Byte first = static_cast<Byte>(value.front());
    if (size == 0) {
      if (format == LogFormat::json)
        line += "\xef\xbf\xbd";
      else
        fmt::format_to(out, "\\x{:02x}", first);
    } else if (size > 1 || !needs_escape(first)) {
      line += value.substr(0, size);
    } else if (first == '"' || first == '\\') {
      line += '\\';
      line += value.front();
    } else if (first == '\n') {
      line += "\\n";
    } else {
      fmt::format_to(out, fmt::runtime(format == LogFormat::json ? "\\u{:04x}" : "\\x{:02x}"), first);
    }
    value.remove_prefix(std::max<std::size_t>(size, 1));
  }
  line += '"';
}

void append_value(std::string& line, const LogField::Value& value, LogFormat format) {
  std::visit(
      [&](auto known) {
        using Known = decltype(known);
        if constexpr (std::is_same_v<Known, std::string_view>) {
          if (format == LogFormat::text && is_bare(known))
            line += known;
          else
            append_quoted(line, known, format);
        } else if constexpr (std::is_same_v<Known, double>) {
          if (format == LogFormat::json && !std::isfinite(known))
            line += "null";
          else
            fmt::format_to(std::back_inserter(line), "{}", known);
        } else {
          fmt::format_to(std::back_inserter(line), "{}", known);
        }
      },
      value);
}

void append_json_member(std::string& line, std::string_view key, const LogField::Value& value) {
  if (!line.empty()) line += ',';
  line += '"';
  line += key;
  line += "\":";
  append_value(line, value, LogFormat::json);
}

}  // namespace

std::string format_log_text(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  std::string line = "level=";
  line += name_of(level);
  line += " event=";
  append_value(line, event, LogFormat::text);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key();
    line += '=';
    append_value(line, field.value(), LogFormat::text);
  }
  return line;
}

std::string format_log_json(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  std::string line;
  append_json_member(line, "level", name_of(level));
  append_json_member(line, "event", event);
  for (const LogField& field : fields) append_json_member(line, field.key(), field.value());
  return line;
}

}  // namespace turnpike
