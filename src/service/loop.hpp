#pragma once
// Loop is a thread that waits for sockets, timers and what other threads post to it. What belongs to a loop
// (doors, endpoints, machines) is used on its thread alone.

#include <functional>
#include <memory>

#include "base/function_ref.hpp"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): the name that Asio has
}

namespace turnpike::service {

class Loop {
 public:
  using Task = std::move_only_function<void()>;
  struct Impl;  // service/loop_impl.hpp

  Loop();
  ~Loop();  // stops
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // `name` is what a list of threads shows, at most 15 bytes. Until then nothing runs.
  void start(const char* name);
  // Ends the thread; tasks and handlers that wait are not run any more, and are destroyed with the loop.
  void stop();

  // From any thread; runs in the order of posting.
  void post(Task task);
  // From any other thread: runs `task` on the loop and returns when it has run. False when the loop does not
  // run: nothing was done then.
  bool ask(FunctionRef<void()> task);

  // For what is made for this loop.
  boost::asio::io_context& context();
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::service
