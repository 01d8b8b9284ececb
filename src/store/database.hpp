#pragma once
// Database and Statement are SQLite (ADR 0014) with owners and error values: what fails says why in words and
// whether trying again may help. One thread at a time uses a database; several processes may share its file.

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/function_ref.hpp"
#include "base/time.hpp"

struct sqlite3;       // NOLINT(readability-identifier-naming): the name that SQLite has
struct sqlite3_stmt;  // NOLINT(readability-identifier-naming): the name that SQLite has

namespace turnpike::store {

enum class StoreFault : std::uint8_t {
  busy,          // another process holds it: later it may go
  full,          // the disk, or the limit of pages
  duplicate,     // what must stand once stands already
  newer_schema,  // a later release has written it
  other_kind,    // a database, but of something else
  exposed,       // others than its owner may read it
  broken,        // no database, or not to be read or written
};
struct StoreError {
  StoreFault fault{};
  std::string text{};

  // A sentence for the operator.
  [[nodiscard]] std::string describe(const std::string& file) const {
    return file + ": " + text + (fault == StoreFault::busy ? " by another process; try again" : "");
  }
};
template <typename T>
using Stored = std::expected<T, StoreError>;

struct StoreLimits {
  std::chrono::milliseconds busy_timeout{2000};  // how long a lock of another process is waited for
  std::uint32_t pages_max = 1U << 20;            // of 4096 bytes
};

// What a file holds, and how it came to be.
struct Schema {
  std::int32_t application_id = 0;  // in the file's header: tells the kinds apart
  // One step for each version; a database of version n has had the first n of them.
  std::span<const char* const> migrations{};
};

class Statement {
 public:
  static Stored<Statement> prepare(sqlite3& database, std::string_view sql);
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() = default;

  // Positions count from 1. What is bound is copied.
  Statement& bind(int position, std::string_view text);
  Statement& bind(int position, std::int64_t number);
  Statement& bind(int position, Bytes bytes);  // empty: NULL
  Statement& bind(int position, WallTime time);
  // Whether there is a row.
  Stored<bool> step();
  // For another run, with nothing bound.
  void reset();

  // Columns of the row count from 0; the views live until the next step.
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] Bytes bytes(int column) const;
  [[nodiscard]] WallTime time(int column) const { return WallTime{Duration{number(column)}}; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  // Creates the file for its owner alone when there is none (its folder must exist), and migrates it.
  static Stored<Database> open(const std::string& file, const Schema& schema, const StoreLimits& limits = {});

  [[nodiscard]] Stored<Statement> prepare(std::string_view sql);
  Stored<void> execute(const std::string& sql);
  // Reads everything, and says what is wrong with it.
  Stored<void> verify();
  // A copy as of now, while others read and write: whole and verified, or none. There must be no file yet.
  Stored<void> backup_to(const std::string& file);
  // Puts a copy that nobody uses in the place of `file`, where nothing may be. `examine` is called with the
  // name of a draft that it may open and change; where it refuses, nothing is there afterwards.
  static Stored<void> restore(const std::string& copy, const std::string& file,
                              FunctionRef<Stored<void>(const std::string&)> examine);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}
  static Stored<void> verify_file(const std::string& file);
  [[nodiscard]] Stored<std::int64_t> ask(std::string_view sql);
  Stored<std::size_t> find_version(const Schema& schema);
  Stored<void> migrate(const Schema& schema);
  std::unique_ptr<sqlite3, Close> database_;
};

// Rolled back unless it was committed.
class Transaction {
 public:
  // Takes the write lock at once, so that what is read stays true until the commit.
  static Stored<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  Stored<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace turnpike::store
