#include "program/local_relay.hpp"

#include <pthread.h>

#include <utility>

namespace turnpike::program {

using credentials::PushedCredential;
using credentials::Revocation;

LocalRelay::LocalRelay(relay::Server& server, service::Loop& loop)
    : server_(server), loop_(loop), thread_([this] { work(); }) {
  pthread_setname_np(thread_.native_handle(), "local-relay");
}

LocalRelay::~LocalRelay() {
  {
    const std::scoped_lock lock{mutex_};
    is_ending_ = true;
  }
  has_work_.notify_one();
  thread_.join();
}

void LocalRelay::put(const PushedCredential& credential, Completion on_done) {
  add({credential, std::move(on_done)});
}

void LocalRelay::revoke(const Revocation& revocation, Completion on_done) {
  add({revocation, std::move(on_done)});
}

void LocalRelay::add(Job job) {
  {
    const std::scoped_lock lock{mutex_};
    jobs_.push_back(std::move(job));
  }
  has_work_.notify_one();
}

void LocalRelay::work() {
  for (;;) {
    std::unique_lock lock{mutex_};
    has_work_.wait(lock, [this] { return !jobs_.empty() || is_ending_; });
    if (jobs_.empty()) return;
    std::vector<Job> jobs = std::exchange(jobs_, {});
    lock.unlock();
    obey(std::move(jobs));
  }
}

// In the order of asking: a credential that is put and then revoked is revoked.
void LocalRelay::obey(std::vector<Job> jobs) {
  std::vector<credentials::Change> changes;
  changes.reserve(jobs.size());
  for (Job& job : jobs) changes.push_back(std::move(job.change));
  auto results = server_.apply(changes);
  loop_.post([jobs = std::move(jobs), results = std::move(results)]() mutable {
    for (std::size_t at = 0; at < jobs.size(); ++at)
      jobs[at].on_done(results[at].outcome == credentials::PushOutcome::done);
  });
}

}  // namespace turnpike::program
