#pragma once
// A TOML document as plain values that know their line. Keeps toml++ (and its exceptions) in one file.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace turnpike::program {

struct Node {
  enum class Kind : std::uint8_t { text, integer, real, boolean, moment, list, table };
  Kind kind = Kind::table;
  int line = 0;
  std::string text{};        // text
  std::int64_t integer = 0;  // integer
  double real = 0;
  bool boolean = false;
  WallTime moment{};                // a date and time with its offset
  std::vector<Node> items{};        // of a list; of a table: the values
  std::vector<std::string> keys{};  // of a table, as many as items, in the order of the document

  [[nodiscard]] const Node* find(std::string_view key) const;
  // What a person would say was found: `"abc"`, `17`, `a list of 3`, `a table`.
  [[nodiscard]] std::string describe() const;
};

struct SyntaxError {
  int line = 0;
  std::string message;
};

std::expected<Node, SyntaxError> parse_document(std::string_view text);

}  // namespace turnpike::program
