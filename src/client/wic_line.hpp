#pragma once
// What the parts of a WicAgent share: the names under which the client goes on its flow (RFC 7118 section 5,
// RFC 5626 section 4.1), the transactions over it, and the effects. Private to WicAgent.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "client/wic_agent.hpp"
#include "sip/transaction_layer.hpp"
#include "sip/writer.hpp"

namespace turnpike::client {

struct WicNames {
  std::string identity{};       // "sip:alice@ims.example"
  std::string home{};           // "ims.example"
  std::string via_transport{};  // "WSS" or "WS"
  std::string host{};           // random, and never resolved: "k3j8fh2k.invalid"
  std::string contact_uri{};    // "sip:alice@k3j8fh2k.invalid;transport=ws"
  std::string instance{};       // "urn:uuid:..."
};
// The identity has no problem.
WicNames make_wic_names(const WicAgentSettings& settings, Random& random);
std::string make_token(Random& random);  // of 64 random bits, for tags and Call-IDs

class WicLine {
 public:
  // Who hears of a request that was sent.
  using Owner = std::uint64_t;
  static constexpr Owner registration = 0;  // others are CallIds

  WicLine(const WicAgentSettings& settings, Random& random)
      : random_(random), names_(make_wic_names(settings, random)) {}

  [[nodiscard]] const WicNames& names() const { return names_; }
  [[nodiscard]] Random& random() { return random_; }
  std::vector<std::string> service_route{};  // of the registration, for requests out of dialogs

  [[nodiscard]] std::string make_via();
  // Nothing when no flow is open.
  std::optional<sip::ClientId> send(std::string request, Owner owner, Now now);
  void send_ack(std::string ack);  // of a 2xx: no transaction
  void respond(sip::ServerId id, std::string response, Now now);
  void cancel(sip::ClientId id, Now now) { layer_.cancel(id, now); }
  void emit(WicEffect effect) { effects_.push_back(std::move(effect)); }

  // --- of the agent alone
  [[nodiscard]] sip::TransactionLayer& layer() { return layer_; }
  [[nodiscard]] sip::Flow flow() const { return {.id = flow_}; }
  [[nodiscard]] bool is_open() const { return is_open_; }
  void open() {
    ++flow_;
    is_open_ = true;
  }
  void close(Now now) {
    is_open_ = false;
    layer_.on_flow_closed(flow_, now);
  }
  [[nodiscard]] std::optional<Owner> owner_of(sip::ClientId id) const;
  void forget(sip::ClientId id) { owners_.erase(id); }
  void transmit(std::string bytes);
  std::optional<WicEffect> next_effect();

 private:
  Random& random_;
  WicNames names_;
  sip::TransactionLayer layer_{sip::TransactionLimits{.transactions_max = 256, .servers_per_flow_max = 64}};
  std::uint64_t flow_ = 0;
  bool is_open_ = false;
  std::map<sip::ClientId, Owner> owners_;
  std::deque<WicEffect> effects_;
};

// The first line of a message and what is telling in it, for timelines; no secrets.
WicTraced describe_message(const sip::Message& message, bool is_sent);

// The text of the first Warning (RFC 3261 section 20.43); empty without one.
std::string warning_text(const sip::Message& message);

}  // namespace turnpike::client
