#pragma once
// Work is what one call does to a database: statements one after another, of which the first that fails stops
// all that follow. What was read is good only where there is no error at the end.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/database.hpp"

namespace turnpike::store {

// Prepares each statement once. Texts are literals: they outlive it.
class Statements {
 public:
  Stored<Statement*> find(Database& database, std::string_view sql);

 private:
  std::unordered_map<std::string_view, Statement> prepared_;
};

class Work {
 public:
  Work(Database& database, Statements& statements) : database_(&database), statements_(&statements) {}

  // Values are bound to the positions in their order; `read` makes a value of a row.
  template <typename... Values>
  void run(std::string_view sql, const Values&... values) {
    each(sql, [](const Statement&) {}, values...);
  }
  template <typename Read, typename... Values>
  auto find(std::string_view sql, Read read, const Values&... values) {
    std::optional<std::invoke_result_t<Read, const Statement&>> found;
    each(sql, [&](const Statement& row) { found = read(row); }, values...);
    return found;
  }
  template <typename Read, typename... Values>
  auto list(std::string_view sql, Read read, const Values&... values) {
    std::vector<std::invoke_result_t<Read, const Statement&>> all;
    each(sql, [&](const Statement& row) { all.push_back(read(row)); }, values...);
    return all;
  }
  template <typename... Values>
  std::int64_t number(std::string_view sql, const Values&... values) {
    return find(sql, [](const Statement& row) { return row.number(0); }, values...).value_or(0);
  }

  void fail(StoreError error) {
    if (!error_) error_ = std::move(error);
  }
  [[nodiscard]] const std::optional<StoreError>& error() const { return error_; }

 private:
  template <typename OnRow, typename... Values>
  void each(std::string_view sql, OnRow on_row, const Values&... values) {
    Statement* statement = begin(sql);
    if (statement == nullptr) return;
    int position = 0;
    (bind(*statement, ++position, values), ...);
    // To its end: some have their effect there.
    while (step(*statement)) on_row(std::as_const(*statement));
    statement->reset();
  }
  template <typename Value>
  static void bind(Statement& statement, int position, const Value& value) {
    if constexpr (std::integral<Value>)
      statement.bind(position, static_cast<std::int64_t>(value));
    else
      statement.bind(position, value);
  }
  Statement* begin(std::string_view sql);
  bool step(Statement& statement);

  Database* database_;
  Statements* statements_;
  std::optional<StoreError> error_{};
};

}  // namespace turnpike::store
