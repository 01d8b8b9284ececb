#pragma once
// The relay of the same process behind the port of the eP-CSCF. A control call of the relay returns when
// every shard has done it, so a thread of its own makes them, and the eP-CSCF never waits; what came
// meanwhile goes with the next call.

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "relay/server.hpp"
#include "service/loop.hpp"
#include "service/relay_port.hpp"

namespace turnpike::program {

class LocalRelay final : public service::RelayPort {
 public:
  // Both outlive the port. Completions run on the loop.
  LocalRelay(relay::Server& server, service::Loop& loop);
  ~LocalRelay() override;  // when what was asked for is done
  LocalRelay(const LocalRelay&) = delete;
  LocalRelay& operator=(const LocalRelay&) = delete;

  void put(const credentials::PushedCredential& credential, Completion on_done) override;
  void revoke(const credentials::Revocation& revocation, Completion on_done) override;

 private:
  struct Job {
    credentials::Change change;
    Completion on_done;
  };
  void add(Job job);
  void work();
  void obey(std::vector<Job> jobs);

  relay::Server& server_;
  service::Loop& loop_;
  std::mutex mutex_{};  // guards what follows
  std::condition_variable has_work_{};
  std::vector<Job> jobs_{};
  bool is_ending_ = false;
  std::thread thread_{};
};

}  // namespace turnpike::program
