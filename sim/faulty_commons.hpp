#pragma once
// Commons with a fault, for the proof that a lost port, a shared one and an ignored quota are noticed.

#include <string>
#include <utility>
#include <vector>

#include "sim/relay_host.hpp"
#include "turn/commons.hpp"

namespace turnpike::sim {

class FaultyCommons final : public turn::Commons {
 public:
  FaultyCommons(turn::Commons& sound, Fault fault) : sound_(&sound), fault_(fault) {}

  std::optional<SocketAddress> take_port(const IpAddress& bind, turn::PortParity parity, Now now) override {
    if (fault_ == Fault::shares_ports && !given_.empty() && given_.back().ip == bind) return given_.back();
    const auto port = sound_->take_port(bind, parity, now);
    if (port) given_.push_back(*port);
    return port;
  }
  turn::ReservationToken reserve_next(const SocketAddress& even, Now now) override {
    return sound_->reserve_next(even, now);
  }
  std::optional<SocketAddress> redeem(const turn::ReservationToken& token, Now now) override {
    return sound_->redeem(token, now);
  }
  void return_port(const SocketAddress& bind, Now now) override {
    if (fault_ == Fault::keeps_ports) return;
    if (fault_ == Fault::shares_ports) return;
    sound_->return_port(bind, now);
  }
  std::expected<void, QuotaDenial> admit(std::string_view subject, const IpAddress& source,
                                         std::uint32_t subject_max) override {
    if (fault_ == Fault::ignores_quotas) return {};
    return sound_->admit(subject, source, subject_max);
  }
  void release(std::string_view subject, const IpAddress& source) override {
    if (fault_ != Fault::ignores_quotas) sound_->release(subject, source);
  }

 private:
  turn::Commons* sound_;
  Fault fault_;
  std::vector<SocketAddress> given_;
};

}  // namespace turnpike::sim
