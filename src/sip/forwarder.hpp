#pragma once
// Forwarder is the memory of a stateful proxy that sends each request to one place (RFC 3261 section 16):
// which request that it sent belongs to which request that it received. The proxy decides and edits; the
// forwarder adds its Via, passes answers back, cancels, and gives up on an INVITE that rings for ever (timer
// C).

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/random.hpp"
#include "base/time.hpp"
#include "sip/editor.hpp"
#include "sip/transaction_layer.hpp"

namespace turnpike::sip {

// One request on its way. `tag` is the proxy's own: what the request is about.
struct Leg {
  ServerId server{};
  ClientId client{};
  Method method = Method::other;
  std::uint64_t tag = 0;
  std::string request{};  // as it was received
  bool has_final = false;
  std::optional<Instant> gives_up_at{};  // timer C
};

class Forwarder {
 public:
  // RFC 3261 section 16.6 step 11: more than three minutes.
  static constexpr std::chrono::seconds timer_c{185};

  // The layer outlives the forwarder.
  explicit Forwarder(TransactionLayer& layer) : layer_(layer) {}

  // Sends what the editor made of `request` to the flow, under a Via of "SIP/2.0/" `via`, which is a
  // transport and a sent-by: "UDP 192.0.2.1:5060".
  [[nodiscard]] std::expected<ClientId, SendRefusal> forward(ServerId server, const Message& request,
                                                             Editor& edited, const Flow& to,
                                                             std::string_view via, std::uint64_t tag, Now now,
                                                             Random& random);
  // With our Via in front. The text alone is an ACK for a 2xx, which belongs to no transaction.
  static OwnRequest stamped(Editor& edited, std::string_view via, Random& random);

  // Nothing: the request was the proxy's own, or is over.
  [[nodiscard]] const Leg* find(ClientId id) const;
  [[nodiscard]] const Leg* find(ServerId id) const;

  // Passes a response back. It has been edited: our Via is gone.
  void pass_back(ClientId id, std::uint16_t status_code, std::string response, Now now);
  // Answers the request of the leg ourselves; once only, and not after a final response.
  void refuse(ClientId id, std::uint16_t status_code, std::string_view reason, std::string_view to_tag,
              Now now);
  // A CANCEL has come for this request (section 16.10).
  void cancel(ServerId invite, Now now);

  // To be told of the layer's ClientEnded and ServerEnded.
  void on_ended(ClientId id);
  void on_ended(ServerId id);
  // Those whose time is up are cancelled.
  void on_timeout(Now now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] std::size_t leg_count() const { return legs_.size(); }

 private:
  void set_timer(Leg& leg, std::optional<Instant> at);

  TransactionLayer& layer_;
  std::map<ClientId, Leg> legs_;
  std::map<ServerId, ClientId> by_server_;
  std::set<std::pair<Instant, ClientId>> timers_;
};

}  // namespace turnpike::sip
