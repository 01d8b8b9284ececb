#include "program/table_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "program/suggest.hpp"

namespace turnpike::program {

std::string format_problem(std::string_view file, const Problem& problem) {
  if (problem.key.empty()) return fmt::format("{}:{}: {}", file, problem.line, problem.what);
  return fmt::format("{}:{}: {}: {}", file, problem.line, problem.key, problem.what);
}

TableReader::TableReader(const Node* table, std::string path, std::vector<Problem>& problems)
    : table_(table), path_(std::move(path)), problems_(&problems) {}

TableReader TableReader::sub_table(std::string_view key) {
  const Node* node = find(key);
  if (node != nullptr && node->kind != Node::Kind::table) {
    refuse(key, *node, fmt::format("a table, [{}]", path_of(key)));
    node = nullptr;
  }
  return {node, path_of(key), *problems_};
}

void TableReader::finish() {
  if (table_ == nullptr) return;
  for (std::size_t at = 0; at < table_->keys.size(); ++at) {
    const std::string& key = table_->keys[at];
    if (std::ranges::find(known_, key) == known_.end())
      complain(key, table_->items[at].line, "unknown key" + did_you_mean(key, known_));
  }
}

std::string TableReader::path_of(std::string_view key) const {
  if (path_.empty()) return std::string{key};
  return key.empty() ? path_ : path_ + '.' + std::string{key};
}

const Node* TableReader::find(std::string_view key) {
  known_.emplace_back(key);
  return table_ == nullptr ? nullptr : table_->find(key);
}

void TableReader::text(std::string_view key, std::string& to, std::size_t size_max) {
  const Node* node = find(key);
  if (node == nullptr) return;
  if (node->kind != Node::Kind::text || node->text.empty() || node->text.size() > size_max)
    return refuse(key, *node, fmt::format("a text of 1 to {} bytes", size_max));
  to = node->text;
}

void TableReader::needed_text(std::string_view key, std::string& to, std::size_t size_max,
                              std::string_view allowed) {
  if (find(key) == nullptr) return missing(key, allowed);
  text(key, to, size_max);
}

void TableReader::file_name(std::string_view key, std::string& to, const std::filesystem::path& folder) {
  constexpr std::size_t path_bytes_max = 4096;  // PATH_MAX
  std::string name;
  text(key, name, path_bytes_max);
  if (!name.empty()) to = (folder / name).string();
}

void TableReader::text_list(std::string_view key, std::vector<std::string>& to, std::string_view allowed) {
  if (find(key) == nullptr) return;
  to.clear();
  for (const Node* node : texts(key, allowed)) to.push_back(node->text);
}

void TableReader::boolean(std::string_view key, bool& to) {
  const Node* node = find(key);
  if (node == nullptr) return;
  if (node->kind != Node::Kind::boolean) return refuse(key, *node, "true or false");
  to = node->boolean;
}

void TableReader::seconds(std::string_view key, std::chrono::seconds& to, std::int64_t min,
                          std::int64_t max) {
  auto value = static_cast<std::uint64_t>(to.count());
  read_number(key, value, static_cast<std::uint64_t>(min), static_cast<std::uint64_t>(max));
  to = std::chrono::seconds{static_cast<std::int64_t>(value)};
}

void TableReader::moment(std::string_view key, WallTime& to) {
  const Node* node = find(key);
  if (node == nullptr) return;
  if (node->kind != Node::Kind::moment)
    return refuse(key, *node, "a date and time with its offset, such as 2026-01-31T12:00:00Z without quotes");
  to = node->moment;
}

std::vector<const Node*> TableReader::texts(std::string_view key, std::string_view allowed) {
  return items(key, Node::Kind::text, allowed);
}

std::vector<const Node*> TableReader::tables(std::string_view key, std::string_view allowed) {
  return items(key, Node::Kind::table, allowed);
}

std::vector<const Node*> TableReader::items(std::string_view key, Node::Kind kind, std::string_view allowed) {
  const Node* node = find(key);
  if (node == nullptr) return {};
  if (node->kind != Node::Kind::list) {
    refuse(key, *node, allowed);
    return {};
  }
  std::vector<const Node*> found;
  for (std::size_t at = 0; at < node->items.size(); ++at) {
    const Node& item = node->items[at];
    if (item.kind == kind)
      found.push_back(&item);
    else if (kind == Node::Kind::table)  // it may be a secret, written in the wrong form
      complain(fmt::format("{}[{}]", key, at), item.line,
               fmt::format("found something that is no table, allowed: {}", allowed));
    else
      refuse(fmt::format("{}[{}]", key, at), item, allowed);
  }
  return found;
}

void TableReader::missing(std::string_view key, std::string_view allowed) {
  complain(key, line(), fmt::format("missing, allowed: {}", allowed));
}

void TableReader::refuse(std::string_view key, const Node& found, std::string_view allowed) {
  complain(key, found.line, fmt::format("found {}, allowed: {}", found.describe(), allowed));
}

void TableReader::complain(std::string_view key, int line, std::string what) {
  problems_->push_back({line, path_of(key), std::move(what)});
}

void TableReader::read_number(std::string_view key, std::uint64_t& to, std::uint64_t min, std::uint64_t max) {
  const Node* node = find(key);
  if (node == nullptr) return;
  const auto value = static_cast<std::uint64_t>(node->integer);
  if (node->kind != Node::Kind::integer || node->integer < 0 || value < min || value > max)
    return refuse(key, *node, fmt::format("{} to {}", min, max));
  to = value;
}

}  // namespace turnpike::program
