#include "store/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/check.hpp"

namespace turnpike::store {
namespace {

StoreFault fault_of(int code) {
  switch (code & 0xff) {  // the primary code of an extended one
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StoreFault::busy;
    case SQLITE_FULL:
      return StoreFault::full;
    case SQLITE_CONSTRAINT:
      return StoreFault::duplicate;
    default:
      return StoreFault::broken;
  }
}

std::unexpected<StoreError> error_of(sqlite3& database) {
  const int code = sqlite3_extended_errcode(&database);
  std::string text = sqlite3_errmsg(&database);
  if ((code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY)
    text += "; the file and its folder have to be writable";
  return std::unexpected(StoreError{fault_of(code), std::move(text)});
}

std::unexpected<StoreError> system_error(int reason) {
  return std::unexpected(StoreError{reason == ENOSPC ? StoreFault::full : StoreFault::broken,
                                    std::generic_category().message(reason)});
}

// SQLite gives its other files (WAL and shared memory) the mode of the database.
Stored<void> claim_file(const std::string& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return system_error(errno);
  struct stat status{};
  const bool is_known = ::fstat(descriptor, &status) == 0;
  const int reason = errno;
  ::close(descriptor);
  if (!is_known) return system_error(reason);
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return std::unexpected(
        StoreError{StoreFault::exposed, "it holds secrets and is open to others than its owner: chmod 600"});
  return {};
}

}  // namespace

// --- statements -------------------------------------------------------------------------------------------

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Stored<Statement> Statement::prepare(sqlite3& database, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(&database, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                         &statement, nullptr) != SQLITE_OK)
    return error_of(database);
  return Statement{statement};
}

Statement& Statement::bind(int position, std::string_view text) {
  const char* data = text.data() == nullptr ? "" : text.data();  // which would be NULL
  check(sqlite3_bind_text(statement_.get(), position, data, static_cast<int>(text.size()),
                          SQLITE_TRANSIENT) == SQLITE_OK,
        "a statement has this parameter");
  return *this;
}

Statement& Statement::bind(int position, std::int64_t number) {
  check(sqlite3_bind_int64(statement_.get(), position, number) == SQLITE_OK,
        "a statement has this parameter");
  return *this;
}

Statement& Statement::bind(int position, Bytes bytes) {
  const int result = bytes.empty() ? sqlite3_bind_null(statement_.get(), position)
                                   : sqlite3_bind_blob(statement_.get(), position, bytes.data(),
                                                       static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
  check(result == SQLITE_OK, "a statement has this parameter");
  return *this;
}

Statement& Statement::bind(int position, WallTime time) {
  return bind(position, std::int64_t{time.time_since_epoch().count()});
}

Stored<bool> Statement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return error_of(*sqlite3_db_handle(statement_.get()));
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string_view Statement::text(int column) const { return as_text(bytes(column)); }

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_.get(), column); }

Bytes Statement::bytes(int column) const {
  const auto* data = static_cast<const Byte*>(sqlite3_column_blob(statement_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

// --- database ---------------------------------------------------------------------------------------------

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Stored<Database> Database::open(const std::string& file, const Schema& schema, const StoreLimits& limits) {
  if (auto claimed = claim_file(file); !claimed) return std::unexpected(claimed.error());
  sqlite3* handle = nullptr;
  const int result =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database{handle};
  if (result != SQLITE_OK) return error_of(*handle);
  sqlite3_busy_timeout(handle, static_cast<int>(limits.busy_timeout.count()));
  // Before anything is changed in a file of another kind.
  if (auto version = database.find_version(schema); !version) return std::unexpected(version.error());
  // A reader is never kept waiting by a writer; secrets do not stay in pages that were freed.
  const std::string settings =
      "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;"
      "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA max_page_count = " +
      std::to_string(limits.pages_max) + ';';
  if (auto set = database.execute(settings); !set) return std::unexpected(set.error());
  if (auto migrated = database.migrate(schema); !migrated) return std::unexpected(migrated.error());
  return database;
}

Stored<Statement> Database::prepare(std::string_view sql) { return Statement::prepare(*database_, sql); }

Stored<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return error_of(*database_);
  return {};
}

Stored<std::int64_t> Database::ask(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  if (auto row = statement->step(); !row) return std::unexpected(row.error());
  return statement->number(0);
}

Stored<std::size_t> Database::find_version(const Schema& schema) {
  const auto application = ask("PRAGMA application_id");
  if (!application) return std::unexpected(application.error());
  const auto version = ask("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  const auto tables = ask("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(tables.error());
  const bool is_new = *application == 0 && *version == 0 && *tables == 0;
  if (!is_new && (*application != schema.application_id || *version <= 0))
    return std::unexpected(StoreError{
        StoreFault::other_kind, "it is a database of another kind: found application id " +
                                    std::to_string(*application) + " and schema " + std::to_string(*version) +
                                    ", expected application id " + std::to_string(schema.application_id)});
  const std::size_t latest = schema.migrations.size();
  if (static_cast<std::size_t>(*version) > latest)
    return std::unexpected(StoreError{
        StoreFault::newer_schema,
        "found schema " + std::to_string(*version) + ", known here: up to " + std::to_string(latest)});
  return static_cast<std::size_t>(*version);
}

Stored<void> Database::migrate(const Schema& schema) {
  const std::size_t latest = schema.migrations.size();
  auto version = find_version(schema);
  if (!version) return std::unexpected(version.error());
  if (*version == latest) return {};
  // Read again under the lock: two processes may have come at once.
  auto transaction = Transaction::begin(*this);
  if (!transaction) return std::unexpected(transaction.error());
  version = find_version(schema);
  if (!version) return std::unexpected(version.error());
  for (std::size_t step = *version; step < latest; ++step)
    if (auto migrated = execute(schema.migrations[step]); !migrated) return migrated;
  const std::string marks = "PRAGMA application_id = " + std::to_string(schema.application_id) +
                            "; PRAGMA user_version = " + std::to_string(latest);
  if (auto marked = execute(marks); !marked) return marked;
  return transaction->commit();
}

Stored<Transaction> Transaction::begin(Database& database) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return std::unexpected(begun.error());
  return Transaction{database};
}

Transaction::~Transaction() {
  // After a full disk SQLite may have rolled back by itself, and says so.
  if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK").has_value());
}

Stored<void> Transaction::commit() {
  auto committed = database_->execute("COMMIT");
  if (committed) database_ = nullptr;
  return committed;
}

}  // namespace turnpike::store
