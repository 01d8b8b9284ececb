#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "store/database.hpp"

namespace turnpike::store {
namespace {

std::unexpected<StoreError> broken(std::string text) {
  return std::unexpected(StoreError{StoreFault::broken, std::move(text)});
}

std::unexpected<StoreError> system_error(const std::string& file) {
  const int reason = errno;
  return std::unexpected(StoreError{reason == ENOSPC ? StoreFault::full : StoreFault::broken,
                                    file + ": " + std::generic_category().message(reason)});
}

std::unexpected<StoreError> error_of(const std::string& file, int code) {
  return std::unexpected(StoreError{(code & 0xff) == SQLITE_FULL ? StoreFault::full : StoreFault::broken,
                                    file + ": " + sqlite3_errstr(code)});
}

// What lies on the disk after a power cut, too.
Stored<void> flush(const std::string& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return system_error(file);
  const bool is_flushed = ::fsync(descriptor) == 0;
  ::close(descriptor);
  if (!is_flushed) return system_error(file);
  return {};
}

// The copy while it is made: gone, whatever happens, unless it has got its name.
class Draft {
 public:
  explicit Draft(const std::string& file) : target_(file), file_(file + ".partial") { remove(); }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() { remove(); }
  [[nodiscard]] const std::string& file() const { return file_; }

  Stored<void> create() {
    const int descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (descriptor < 0) return system_error(file_);
    ::close(descriptor);
    return {};
  }
  Stored<void> publish() {
    if (auto flushed = flush(file_); !flushed) return flushed;
    if (::link(file_.c_str(), target_.c_str()) != 0) return system_error(target_);  // replaces nothing
    const auto folder = std::filesystem::path{target_}.parent_path();
    return flush(folder.empty() ? "." : folder.string());
  }

 private:
  void remove() const {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((file_ + suffix).c_str());
  }
  std::string target_;
  std::string file_;
};

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};

Stored<void> copy(sqlite3& from, const std::string& file) {
  sqlite3* handle = nullptr;
  const int opened =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, nullptr);
  const std::unique_ptr<sqlite3, Close> to{handle};
  if (opened != SQLITE_OK) return error_of(file, opened);
  sqlite3_backup* backup = sqlite3_backup_init(handle, "main", &from, "main");
  if (backup == nullptr) return error_of(file, sqlite3_extended_errcode(handle));
  // All in one step: what is read is one state, and writers do not wait for a reader.
  const int stepped = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (stepped != SQLITE_DONE) return error_of(file, stepped);
  if (finished != SQLITE_OK) return error_of(file, finished);
  return {};
}

}  // namespace

Stored<void> Database::verify() {
  auto statement = prepare("PRAGMA integrity_check(1)");
  if (!statement) return std::unexpected(statement.error());
  if (auto row = statement->step(); !row) return std::unexpected(row.error());
  if (statement->text(0) != "ok") return broken("it is damaged: " + std::string{statement->text(0)});
  return {};
}

Stored<void> Database::backup_to(const std::string& file) {
  // A log that lies there belongs to another database, and would be played into this one.
  for (const char* suffix : {"", "-wal", "-shm", "-journal"})
    if (std::error_code error; std::filesystem::exists(file + suffix, error))
      return broken(file + suffix + " is there already");
  Draft draft{file};
  if (auto created = draft.create(); !created) return created;
  if (auto copied = copy(*database_, draft.file()); !copied) return copied;
  {
    sqlite3* handle = nullptr;
    const int opened = sqlite3_open_v2(draft.file().c_str(), &handle,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, nullptr);
    Database made{handle};
    if (opened != SQLITE_OK) return error_of(draft.file(), opened);
    if (auto verified = made.verify(); !verified) return verified;
  }
  return draft.publish();
}

}  // namespace turnpike::store
