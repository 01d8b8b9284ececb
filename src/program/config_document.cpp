#include "program/config_document.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <sstream>

namespace turnpike::program {
namespace {

WallTime to_wall(const toml::date_time& moment) {
  using std::chrono::minutes;
  const auto day =
      std::chrono::sys_days{std::chrono::year{moment.date.year} / moment.date.month / moment.date.day};
  const std::int64_t seconds = std::chrono::seconds{day.time_since_epoch()}.count() +
                               moment.time.hour * 3600 + moment.time.minute * 60 + moment.time.second -
                               (moment.offset ? moment.offset->minutes * 60 : 0);
  return from_unix_seconds(static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0)));
}

Node convert(const toml::node& from, int line);

Node convert_table(const toml::table& from, int line) {
  struct Entry {
    std::string key;
    toml::source_position at;
    const toml::node* value;
  };
  std::vector<Entry> entries;
  for (const auto& [key, value] : from)
    entries.push_back({std::string{key.str()}, key.source().begin, &value});
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) { return a.at < b.at; });
  Node table{.kind = Node::Kind::table, .line = line};
  for (const Entry& entry : entries) {
    table.keys.push_back(entry.key);
    table.items.push_back(convert(*entry.value, static_cast<int>(entry.at.line)));
  }
  return table;
}

Node convert_list(const toml::array& from, int line) {
  Node list{.kind = Node::Kind::list, .line = line};
  for (const toml::node& item : from)
    list.items.push_back(convert(item, static_cast<int>(item.source().begin.line)));
  return list;
}

Node convert(const toml::node& from, int line) {
  using Kind = Node::Kind;
  if (const auto* table = from.as_table()) return convert_table(*table, line);
  if (const auto* list = from.as_array()) return convert_list(*list, line);
  if (const auto text = from.value_exact<std::string>())
    return {.kind = Kind::text, .line = line, .text = *text};
  if (const auto number = from.value_exact<std::int64_t>())
    return {.kind = Kind::integer, .line = line, .integer = *number};
  if (const auto number = from.value_exact<double>())
    return {.kind = Kind::real, .line = line, .real = *number};
  if (const auto truth = from.value_exact<bool>())
    return {.kind = Kind::boolean, .line = line, .boolean = *truth};
  if (const auto moment = from.value_exact<toml::date_time>())
    return {.kind = Kind::moment, .line = line, .moment = to_wall(*moment)};
  // A local date or time: no point in time, so no key of ours takes it.
  return {.kind = Kind::text, .line = line, .text = "a date or time without its offset"};
}

// toml++ explains itself over several clauses; the first line says enough.
std::string first_line(std::string_view text) { return std::string{text.substr(0, text.find('\n'))}; }

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (std::size_t at = 0; at < keys.size(); ++at)
    if (keys[at] == key) return &items[at];
  return nullptr;
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::text:
      return '"' + text + '"';
    case Kind::integer:
      return std::to_string(integer);
    case Kind::real:
      return fmt::format("{}", real);
    case Kind::boolean:
      return boolean ? "true" : "false";
    case Kind::moment:
      return "a date and time";
    case Kind::list:
      return items.empty() ? "an empty list" : fmt::format("a list of {}", items.size());
    case Kind::table:
      return "a table";
  }
  return {};
}

std::expected<Node, SyntaxError> parse_document(std::string_view text) {
  try {
    const toml::table root = toml::parse(text);
    return convert_table(root, 1);
  } catch (const toml::parse_error& error) {
    return std::unexpected(
        SyntaxError{static_cast<int>(error.source().begin.line), first_line(error.description())});
  }
}

}  // namespace turnpike::program
