#include "program/toml_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace turnpike::program {

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\')
      quoted += {'\\', character};
    else if (static_cast<unsigned char>(character) < 0x20 || character == 0x7f)
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(character));
    else
      quoted += character;
  }
  return quoted + '"';
}

std::string quote_all(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  quoted.reserve(texts.size());
  for (const std::string& text : texts) quoted.push_back(quote(text));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

}  // namespace turnpike::program
