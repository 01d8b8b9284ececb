#include "service/sip_handover.hpp"

#include <algorithm>

#include "service/addresses.hpp"

namespace turnpike::service {

SipHandover::SipHandover(Loop& loop, std::shared_ptr<SipNeighbours> neighbours,
                         const SipEndpointLimits& limits, SipMailbox::Reader read, Failed failed)
    : loop_(loop),
      neighbours_(std::move(neighbours)),
      mailbox_(std::make_shared<SipMailbox>(loop, limits.queue_bytes_max, std::move(read))),
      failed_(std::move(failed)) {}

void SipHandover::open(const std::vector<SipListener>& listeners) {
  for (const SipListener& listener : listeners) {
    // What listens on all addresses has a source that the kernel chooses for each message.
    if (listener.address.ip.is_unspecified()) continue;
    listeners_.push_back(listener);
    neighbours_->add(listener, mailbox_);
  }
}

void SipHandover::stop() {
  flush();  // what this turn has sent is sent
  neighbours_->remove(*mailbox_);
  mailbox_->close();
  outboxes_.clear();
}

bool SipHandover::send(const SipListener& to, std::string& bytes) {
  Outbox* outbox = find_outbox(to);
  if (outbox == nullptr) return false;
  outbox->letters.push_back({outbox->source, std::move(bytes)});
  flush_later();
  return true;
}

SipHandover::Outbox* SipHandover::find_outbox(const SipListener& to) {
  if (const auto known = outboxes_.find(to); known != outboxes_.end()) return &known->second;
  auto source = source_towards(to);
  auto mailbox = source ? neighbours_->find(to) : nullptr;
  if (!mailbox) return nullptr;
  return &outboxes_.emplace(to, Outbox{.mailbox = std::move(mailbox), .source = *std::move(source)})
              .first->second;
}

// Over UDP a socket that is bound to its address; over TCP the kernel takes the address that is asked for,
// where that is the machine's own. Nothing: that would be another address than that of a listener.
std::optional<sip::Hop> SipHandover::source_towards(const SipListener& to) const {
  const auto own = std::ranges::find_if(listeners_, [&](const SipListener& listener) {
    if (listener.transport != to.transport) return false;
    return to.transport == sip::Transport::udp ? listener.address.ip.is_v4() == to.address.ip.is_v4()
                                               : listener.address.ip == to.address.ip;
  });
  if (own == listeners_.end()) return std::nullopt;
  return sip::Hop{own->transport, host_text(own->address.ip), own->address.port};
}

// Behind whatever has become ready in this turn: one wake-up for all that a busy node has to say.
void SipHandover::flush_later() {
  if (is_flush_due_) return;
  is_flush_due_ = true;
  loop_.post([this] { flush(); });
}

void SipHandover::flush() {
  is_flush_due_ = false;
  for (auto at = outboxes_.begin(); at != outboxes_.end();) {
    auto& [to, outbox] = *at;
    const auto outcome =
        outbox.letters.empty() ? SipMailbox::Outcome::taken : outbox.mailbox->put(outbox.letters);
    outbox.letters.clear();
    const bool is_closed = outcome == SipMailbox::Outcome::closed;
    // A datagram too many is a loss like any other: SIP over UDP sends again.
    if (is_closed || (outcome == SipMailbox::Outcome::full && to.transport == sip::Transport::tcp))
      failed_(to);
    at = is_closed ? outboxes_.erase(at) : std::next(at);
  }
}

}  // namespace turnpike::service
