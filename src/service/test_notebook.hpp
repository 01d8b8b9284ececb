#pragma once
// For tests: what callbacks on a loop's thread write down and the test's thread waits for and reads.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace turnpike::service {

class TestNotebook {
 public:
  // False after ten seconds. The condition may look at everything.
  bool wait(const std::function<bool()>& condition) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{10}, condition);
  }

 protected:
  void note(const std::function<void()>& change) {
    const std::scoped_lock lock{mutex_};
    change();
    changed_.notify_all();
  }
  template <typename T>
  T copy(const T& noted) {
    const std::scoped_lock lock{mutex_};
    return noted;
  }

 private:
  std::recursive_mutex mutex_;  // a condition that is waited for may take copies
  std::condition_variable_any changed_;
};

}  // namespace turnpike::service
