#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/percent.hpp"
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

struct CloseHandle {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};

// A log that lies there belongs to another database, and would be played into this one.
Stored<void> check_free(const std::string& file) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"})
    if (std::error_code error; std::filesystem::exists(file + suffix, error))
      return broken(file + suffix + " is there already");
  return {};
}

Stored<void> copy(sqlite3& from, const std::string& file) {
  sqlite3* handle = nullptr;
  const int opened =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, nullptr);
  const std::unique_ptr<sqlite3, CloseHandle> to{handle};
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

Stored<void> Database::verify_file(const std::string& file) {
  sqlite3* handle = nullptr;
  const int opened =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, nullptr);
  Database made{handle};
  if (opened != SQLITE_OK) return error_of(file, opened);
  return made.verify();
}

Stored<void> Database::verify() {
  auto statement = prepare("PRAGMA integrity_check(1)");
  if (!statement) return std::unexpected(statement.error());
  if (auto row = statement->step(); !row) return std::unexpected(row.error());
  if (statement->text(0) != "ok") return broken("it is damaged: " + std::string{statement->text(0)});
  return {};
}

Stored<void> Database::backup_to(const std::string& file) {
  if (auto free = check_free(file); !free) return free;
  Draft draft{file};
  if (auto created = draft.create(); !created) return created;
  if (auto copied = copy(*database_, draft.file()); !copied) return copied;
  if (auto verified = verify_file(draft.file()); !verified) return verified;
  return draft.publish();
}

Stored<void> Database::restore(const std::string& copy_file, const std::string& file,
                               FunctionRef<Stored<void>(const std::string&)> examine) {
  if (auto free = check_free(file); !free) return free;
  std::error_code error;
  const auto log_size = std::filesystem::file_size(copy_file + "-wal", error);
  if (!error && log_size > 0)
    return broken(copy_file + "-wal lies beside it: somebody uses it, or it was copied without a backup");
  // Read as a file that nobody writes to: nothing is made beside it, and its folder may be a read-only one.
  sqlite3* handle = nullptr;
  const std::string uri = "file:" + encode_percent(copy_file) + "?immutable=1";
  const int opened = sqlite3_open_v2(uri.c_str(), &handle,
                                     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE, nullptr);
  const std::unique_ptr<sqlite3, CloseHandle> from{handle};
  if (opened != SQLITE_OK) return broken(sqlite3_errstr(opened));
  Draft draft{file};
  if (auto created = draft.create(); !created) return created;
  if (auto copied = copy(*handle, draft.file()); !copied) return copied;
  if (auto verified = verify_file(draft.file()); !verified) return verified;
  if (auto examined = examine(draft.file()); !examined) return examined;
  // What was changed must not stand in a log that has another name than the file will have.
  if (std::filesystem::exists(draft.file() + "-wal", error))
    return broken("the draft could not be written out");
  return draft.publish();
}

}  // namespace turnpike::store
