#include "store/work.hpp"

namespace turnpike::store {

Stored<Statement*> Statements::find(Database& database, std::string_view sql) {
  if (const auto known = prepared_.find(sql); known != prepared_.end()) return &known->second;
  auto statement = database.prepare(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  return &prepared_.emplace(sql, *std::move(statement)).first->second;
}

Statement* Work::begin(std::string_view sql) {
  if (error_) return nullptr;
  auto statement = statements_->find(*database_, sql);
  if (statement) return *statement;
  fail(std::move(statement.error()));
  return nullptr;
}

bool Work::step(Statement& statement) {
  auto row = statement.step();
  if (!row) fail(std::move(row.error()));
  return row.value_or(false);
}

}  // namespace turnpike::store
