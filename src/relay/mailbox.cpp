#include "relay/mailbox.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

namespace turnpike::relay {

Result<FileDescriptor> Mailbox::open_event() {
  FileDescriptor event{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!event.is_open()) return std::unexpected(std::error_code{errno, std::generic_category()});
  return event;
}

bool Mailbox::post(Task task) {
  const std::scoped_lock lock{mutex_};
  if (is_closed_) return false;
  tasks_.push_back(std::move(task));
  // Only fails when the counter is full, and then the shard is awake anyway.
  (void)eventfd_write(event_.value(), 1);
  return true;
}

std::vector<Mailbox::Task> Mailbox::take_all() {
  eventfd_t count = 0;
  (void)eventfd_read(event_.value(), &count);
  const std::scoped_lock lock{mutex_};
  return std::exchange(tasks_, {});
}

std::vector<Mailbox::Task> Mailbox::close() {
  const std::scoped_lock lock{mutex_};
  is_closed_ = true;
  return std::exchange(tasks_, {});
}

}  // namespace turnpike::relay
