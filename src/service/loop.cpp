#include "service/loop.hpp"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/post.hpp>
#include <future>

#include "base/check.hpp"
#include "service/loop_impl.hpp"

namespace turnpike::service {

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() { stop(); }

void Loop::start(const char* name) {
  check(!impl_->thread.joinable(), "a loop is started once");
  // Signals are for the thread that started the program.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread{[impl = impl_.get()] { impl->context.run(); }};
  pthread_setname_np(impl_->thread.native_handle(), name);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Loop::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->context.stop();
  impl_->thread.join();
}

boost::asio::io_context& Loop::context() { return impl_->context; }

void Loop::post(Task task) { asio::post(impl_->context, std::move(task)); }

bool Loop::ask(FunctionRef<void()> task) {
  if (!impl_->thread.joinable() || impl_->context.stopped()) return false;
  std::promise<void> done;
  asio::post(impl_->context, [&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
  return true;
}

}  // namespace turnpike::service
