#pragma once
// What the parts of one eP-CSCF share: its surroundings, the connections, the transactions, and what it says.

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "epcscf/counters.hpp"
#include "epcscf/effects.hpp"
#include "epcscf/flow_tokens.hpp"
#include "epcscf/settings.hpp"
#include "sip/editor.hpp"
#include "sip/forwarder.hpp"
#include "sip/transaction_layer.hpp"

namespace turnpike::epcscf {

class Switchboard {
 public:
  Switchboard(Settings chosen, Random& generator);
  Switchboard(const Switchboard&) = delete;
  Switchboard& operator=(const Switchboard&) = delete;

  // --- connections and places ---
  [[nodiscard]] const ClientInfo* find_client(FlowId flow) const;
  [[nodiscard]] static sip::Flow flow_to(FlowId client) {
    return {.id = static_cast<std::uint64_t>(client), .is_reliable = true, .is_shared = false};
  }
  // The core's places are remembered by number; when they are too many, the oldest are forgotten.
  sip::Flow flow_to(const sip::Hop& hop);
  [[nodiscard]] std::optional<std::uint64_t> find_flow(const sip::Hop& hop) const;
  // Whose messages are the core's.
  [[nodiscard]] bool is_core(const sip::Hop& from) const;
  // The place as it is configured where only the transport differs.
  [[nodiscard]] sip::Hop adjusted(sip::Hop hop) const;
  [[nodiscard]] bool is_own_host(const sip::Uri& uri) const;

  // --- texts ---
  [[nodiscard]] std::string via_to(const sip::Hop& hop) const;
  [[nodiscard]] std::string via_to(FlowId client) const;
  [[nodiscard]] std::string own_uri(std::string_view user, std::string_view params) const;  // in brackets
  [[nodiscard]] std::string make_charging_vector();
  [[nodiscard]] std::string make_tag();

  // --- answers ---
  // A response of our own to a request; `row` is a whole value of the header, or empty.
  void answer(sip::ServerId id, const sip::Message& request, std::uint16_t status_code, Now now,
              std::string_view reason = {}, sip::HeaderName header = sip::HeaderName::other,
              std::string_view row = {});
  // Without a transaction, to where a request came from.
  void answer_statelessly(std::uint64_t flow, const sip::Message& request, std::uint16_t status_code);
  void emit(Effect effect) { effects.push_back(std::move(effect)); }
  void transmit(sip::SendMessage message);
  [[nodiscard]] SocketAddress address_of(FlowId flow) const;  // port 0: no client, or gone
  void report_stranger(const sip::Hop& from);
  void report_bad(FlowId flow, BadMessage what, std::uint16_t status_code);

  Settings settings;
  Random& random;
  FlowTokens tokens;
  sip::TransactionLayer layer;
  sip::Forwarder forwarder;
  Counters counters;
  std::deque<Effect> effects;
  std::unordered_map<FlowId, ClientInfo> clients;  // looked up alone

 private:
  std::map<sip::Hop, std::uint64_t> flow_of_hop_;
  std::map<std::uint64_t, sip::Hop> hop_of_flow_;  // the oldest first
  std::uint64_t last_flow_;
};

}  // namespace turnpike::epcscf
