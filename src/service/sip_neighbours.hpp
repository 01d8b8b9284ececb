#pragma once
// SipNeighbours are the SIP endpoints of one process. What one of them sends to where another listens is
// handed over in memory: the same bytes, from the same place, without a system call and a wake-up for each.
// An eP-CSCF and the home core beside it are such neighbours; everybody else is reached over sockets.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "service/loop.hpp"
#include "service/sip_endpoint.hpp"

namespace turnpike::service {

// What waits for one endpoint: put in on any thread, read on the endpoint's loop.
class SipMailbox : public std::enable_shared_from_this<SipMailbox> {
 public:
  struct Letter {
    sip::Hop from{};
    std::string text{};
  };
  using Reader = std::function<void(const Letter& letter)>;
  enum class Outcome : std::uint8_t { taken, full, closed };

  // The loop outlives the mailbox.
  SipMailbox(Loop& loop, std::size_t bytes_max, Reader read)
      : loop_(loop), bytes_max_(bytes_max), read_(std::move(read)) {}

  // All of them or none. What was taken is gone from the letters.
  Outcome put(std::vector<Letter>& letters);
  // On the loop, or when it does not run any more: nothing is read from here on.
  void close();

 private:
  void read_all();

  Loop& loop_;
  std::size_t bytes_max_;
  Reader read_;
  std::mutex mutex_{};
  std::vector<Letter> waiting_{};
  std::size_t waiting_bytes_ = 0;
  bool is_closed_ = false;
};

// Used from any thread.
class SipNeighbours {
 public:
  void add(const SipListener& listener, std::shared_ptr<SipMailbox> mailbox);
  void remove(const SipMailbox& mailbox);
  // Null: nobody of this process listens there.
  [[nodiscard]] std::shared_ptr<SipMailbox> find(const SipListener& listener);

 private:
  std::mutex mutex_{};
  std::vector<std::pair<SipListener, std::shared_ptr<SipMailbox>>> places_{};  // a handful
};

}  // namespace turnpike::service
