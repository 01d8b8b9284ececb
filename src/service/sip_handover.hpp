#pragma once
// SipHandover is a SipEndpoint's side of its neighbours: its mailbox, and what it has for those of others. A
// receiver sees the source that it would see over sockets. Used on the endpoint's loop.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/sip_endpoint.hpp"
#include "service/sip_neighbours.hpp"

namespace turnpike::service {

class SipHandover {
 public:
  // Told of letters that did not arrive, as over TCP, in a turn of its own.
  using Failed = std::function<void(const SipListener& to)>;

  SipHandover(Loop& loop, std::shared_ptr<SipNeighbours> neighbours, const SipEndpointLimits& limits,
              SipMailbox::Reader read, Failed failed);
  ~SipHandover() { stop(); }
  SipHandover(const SipHandover&) = delete;
  SipHandover& operator=(const SipHandover&) = delete;

  // As the kernel has opened them.
  void open(const std::vector<SipListener>& listeners);
  // False, and nothing is done: no neighbour listens there.
  bool send(const SipListener& to, std::string& bytes);
  void stop();

 private:
  struct Outbox {
    std::shared_ptr<SipMailbox> mailbox{};
    sip::Hop source{};
    std::vector<SipMailbox::Letter> letters{};
  };
  Outbox* find_outbox(const SipListener& to);
  [[nodiscard]] std::optional<sip::Hop> source_towards(const SipListener& to) const;
  void flush_later();
  void flush();

  Loop& loop_;
  std::shared_ptr<SipNeighbours> neighbours_;
  std::shared_ptr<SipMailbox> mailbox_;
  Failed failed_;
  std::vector<SipListener> listeners_{};
  std::map<SipListener, Outbox> outboxes_{};
  bool is_flush_due_ = false;  // at the end of this turn
};

}  // namespace turnpike::service
