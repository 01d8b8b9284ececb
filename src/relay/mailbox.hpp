#pragma once
// Tasks that other threads hand to a shard. The shard sleeps in epoll, so that a descriptor wakes it up.

#include <functional>
#include <mutex>
#include <vector>

#include "relay/udp_socket.hpp"

namespace turnpike::relay {

class Mailbox {
 public:
  using Task = std::move_only_function<void()>;

  // Readable when tasks wait.
  static Result<FileDescriptor> open_event();
  explicit Mailbox(FileDescriptor event) : event_(std::move(event)) {}
  [[nodiscard]] int event() const { return event_.value(); }

  // False once the mailbox is closed: the task will not run.
  [[nodiscard]] bool post(Task task);
  // For the shard: what waits, in the order of posting.
  std::vector<Task> take_all();
  std::vector<Task> close();

 private:
  FileDescriptor event_;
  std::mutex mutex_;
  std::vector<Task> tasks_;
  bool is_closed_ = false;
};

}  // namespace turnpike::relay
