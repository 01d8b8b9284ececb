#include "sip/writer.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace turnpike::sip {
namespace {

constexpr std::size_t size_hint = 768;

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7f;
}

// In blocks of a fixed size, which compilers turn into vector instructions.
bool has_control(std::string_view text) {
  constexpr std::size_t block = 16;
  std::size_t at = 0;
  for (; at + block <= text.size(); at += block) {
    std::uint8_t in_block = 0;
    for (std::size_t i = 0; i < block; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      in_block = static_cast<std::uint8_t>(in_block | (byte < 0x20) | (byte == 0x7f));
    }
    if (in_block != 0) return true;
  }
  return std::any_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_control);
}

}  // namespace

void append_clean(std::string& to, std::string_view text) {
  const std::size_t begin = to.size();
  to += text;
  if (!has_control(text)) return;
  std::replace_if(to.begin() + static_cast<std::ptrdiff_t>(begin), to.end(), is_control, ' ');
}

void append_header(std::string& to, std::string_view name, std::string_view value) {
  append_clean(to, name);
  to += ": ";
  append_clean(to, value);
  to += "\r\n";
}

Writer Writer::request(std::string_view method, std::string_view uri) {
  Writer writer;
  writer.text_.reserve(size_hint);
  append_clean(writer.text_, method);
  writer.text_ += ' ';
  append_clean(writer.text_, uri);
  writer.text_ += " SIP/2.0\r\n";
  return writer;
}

Writer Writer::response(std::uint16_t status_code, std::string_view reason) {
  Writer writer;
  writer.text_.reserve(size_hint);
  writer.text_ += "SIP/2.0 ";
  writer.text_ += std::to_string(status_code);
  writer.text_ += ' ';
  append_clean(writer.text_, reason.empty() ? standard_reason(status_code) : reason);
  writer.text_ += "\r\n";
  return writer;
}

Writer& Writer::add(std::string_view name, std::string_view value) {
  append_header(text_, name, value);
  return *this;
}

Writer& Writer::add(HeaderName name, std::uint64_t value) { return add(name, std::to_string(value)); }

Writer& Writer::copy(const Message& from, HeaderName name) {
  for (auto row = from.find_row(name); row; row = from.find_row(name, *row + 1))
    text_ += from.header(*row).row;
  return *this;
}

std::string Writer::finish() {
  text_ += "Content-Length: 0\r\n\r\n";
  return std::exchange(text_, {});
}

std::string Writer::finish(std::string_view content_type, std::string_view body) {
  if (body.empty()) return finish();
  add(HeaderName::content_type, content_type);
  add(HeaderName::content_length, body.size());
  text_ += "\r\n";
  text_ += body;
  return std::exchange(text_, {});
}

}  // namespace turnpike::sip
