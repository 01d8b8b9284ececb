#pragma once
// Writer makes a message from nothing, row by row. A value cannot end its row: control characters in it are
// written as spaces, so that text of strangers adds no headers.

#include <cstdint>
#include <string>
#include <string_view>

#include "sip/message.hpp"

namespace turnpike::sip {

class Writer {
 public:
  static Writer request(std::string_view method, std::string_view uri);
  static Writer request(Method method, std::string_view uri) { return request(to_string(method), uri); }
  // Without a reason the RFC's.
  static Writer response(std::uint16_t status_code, std::string_view reason = {});

  Writer& add(std::string_view name, std::string_view value);
  Writer& add(HeaderName name, std::string_view value) { return add(to_string(name), value); }
  Writer& add(HeaderName name, std::uint64_t value);
  // Every row of the name, byte for byte.
  Writer& copy(const Message& from, HeaderName name);

  // Adds Content-Length, and Content-Type where there is a body. The writer is empty afterwards.
  [[nodiscard]] std::string finish();
  [[nodiscard]] std::string finish(std::string_view content_type, std::string_view body);

 private:
  Writer() = default;
  std::string text_;
};

// Adds text without control characters, each of which becomes a space.
void append_clean(std::string& to, std::string_view text);
void append_header(std::string& to, std::string_view name, std::string_view value);  // a whole row

}  // namespace turnpike::sip
