#pragma once
// Reads the keys of one TOML table into typed values and notes every problem on the way: a wrong type, a
// value out of bounds, and, at the end, each key that nobody asked for.

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "program/config_document.hpp"

namespace turnpike::program {

struct Problem {
  int line = 0;
  std::string key;   // "turn.limits.allocations_total", "credentials.token.keys[1].kid"
  std::string what;  // `found 0, allowed: 1 to 4096`
  bool operator==(const Problem&) const = default;
};
std::string format_problem(std::string_view file, const Problem& problem);  // "file:line: key: what"

class TableReader {
 public:
  // `table` may be null: then every key is absent.
  TableReader(const Node* table, std::string path, std::vector<Problem>& problems);
  // A table inside of this one; absent when the key is.
  TableReader sub_table(std::string_view key);
  // Complains about the keys that were not asked for.
  void finish();

  [[nodiscard]] bool is_present() const { return table_ != nullptr; }
  [[nodiscard]] int line() const { return table_ == nullptr ? 1 : table_->line; }
  [[nodiscard]] std::string path_of(std::string_view key) const;
  // The value whatever its kind, or null.
  const Node* find(std::string_view key);

  // A key that is absent leaves `to` as it is.
  void text(std::string_view key, std::string& to, std::size_t size_max);
  // The same, and complains about one that is absent.
  void needed_text(std::string_view key, std::string& to, std::size_t size_max, std::string_view allowed);
  // A path, which starts at the folder where it is relative.
  void file_name(std::string_view key, std::string& to, const std::filesystem::path& folder);
  // All texts of a list, or a single text, in the place of what `to` holds.
  void text_list(std::string_view key, std::vector<std::string>& to, std::string_view allowed);
  void boolean(std::string_view key, bool& to);
  void seconds(std::string_view key, std::chrono::seconds& to, std::int64_t min, std::int64_t max);
  void moment(std::string_view key, WallTime& to);
  template <std::unsigned_integral Number>
  void number(std::string_view key, Number& to, std::uint64_t min, std::uint64_t max) {
    std::uint64_t value = to;
    read_number(key, value, min, max);
    to = static_cast<Number>(value);
  }
  template <typename Value>
  void choice(std::string_view key, Value& to,
              std::initializer_list<std::pair<std::string_view, Value>> choices) {
    const Node* node = find(key);
    if (node == nullptr) return;
    std::string allowed;
    for (const auto& [name, value] : choices) {
      if (node->kind == Node::Kind::text && node->text == name) {
        to = value;
        return;
      }
      allowed += (allowed.empty() ? "\"" : ", \"") + std::string{name} + '"';
    }
    refuse(key, *node, allowed);
  }
  // The texts of a list, or of a single text; those that are none are complained about.
  std::vector<const Node*> texts(std::string_view key, std::string_view allowed);
  // The tables of a list.
  std::vector<const Node*> tables(std::string_view key, std::string_view allowed);

  void missing(std::string_view key, std::string_view allowed);
  void refuse(std::string_view key, const Node& found, std::string_view allowed);  // tells what was found
  void complain(std::string_view key, int line, std::string what);

 private:
  void read_number(std::string_view key, std::uint64_t& to, std::uint64_t min, std::uint64_t max);
  std::vector<const Node*> items(std::string_view key, Node::Kind kind, std::string_view allowed);

  const Node* table_;
  std::string path_;
  std::vector<Problem>* problems_;
  std::vector<std::string> known_{};
};

}  // namespace turnpike::program
