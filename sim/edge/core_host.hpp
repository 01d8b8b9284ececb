#pragma once
// The home core in the world: ims::HomeCore behind a UDP socket, with its subscribers in memory.

#include <memory>
#include <optional>
#include <string_view>

#include "ims/home_core.hpp"
#include "ims/memory_subscribers.hpp"
#include "sim/network.hpp"

namespace turnpike::sim {

// Of a place that speaks SIP over UDP, and back; the host of a hop is an address here.
sip::Hop hop_of(const SocketAddress& address);
SocketAddress address_of(const sip::Hop& hop);

class CoreHost final : public Node {
 public:
  CoreHost(World& world, Network& network, const SocketAddress& address, ims::Settings settings);
  ~CoreHost() override { network_->detach(address_.ip); }
  CoreHost(const CoreHost&) = delete;
  CoreHost& operator=(const CoreHost&) = delete;

  enum class Mood : std::uint8_t {
    well,
    silent,  // takes everything and does nothing
    down,    // nobody listens, and whoever asks is told
  };
  void be(Mood mood);
  // The process dies and a new one starts: registrations and subscriptions are gone.
  void restart();
  bool deregister(std::string_view impi, ims::ContactEvent event);

  void on_datagram(const Datagram& datagram) override;
  void on_icmp(const IcmpError& error) override;

  [[nodiscard]] ims::HomeCore& machine() { return *machine_; }
  [[nodiscard]] const ims::Settings& settings() const { return settings_; }
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] bool has_registration(std::string_view impi) const;
  // When it was last not well, or began anew; nothing: never.
  [[nodiscard]] std::optional<Instant> last_trouble() const;

  ims::MemorySubscribers subscribers;

 private:
  void start();
  void settle();
  void on_alarm();

  World* world_;
  Network* network_;
  SocketAddress address_;
  ims::Settings settings_;
  SeededRandom random_;
  std::unique_ptr<ims::HomeCore> machine_;
  Mood mood_ = Mood::well;
  std::optional<Instant> last_trouble_;
  Alarm alarm_;
};

}  // namespace turnpike::sim
