#pragma once
// TransactionLayer: RFC 3261 section 17 with RFC 6026 as a machine. It matches requests and responses with
// their transactions (sections 17.1.3 and 17.2.3), retransmits over unreliable transport, absorbs what is
// repeated, acknowledges refusals, and says what reaches the core (the proxy or user agent above it).
//
//   shell:  on_request / on_response / on_flow_closed / on_timeout
//   core:   send_request / respond / cancel
//           then next_effect() until it is empty, then sleep until next_timeout()
//
// Messages that come in have no defect (find_defect()); messages that go out are the core's, with their Via.

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "sip/client_transaction.hpp"
#include "sip/message.hpp"
#include "sip/server_transaction.hpp"
#include "sip/timers.hpp"

namespace turnpike::sip {

// Where messages come from and go to; the shell gives out the numbers and never uses one twice.
struct Flow {
  std::uint64_t id = 0;
  bool is_reliable = true;  // TCP, TLS, WebSocket
  // Many peers are behind it, as behind the core's address. What is not shared is one client's connection:
  // its transactions are limited, and match nothing that came over another flow.
  bool is_shared = false;
  bool operator==(const Flow&) const = default;
};

enum class ClientId : std::uint64_t {};  // a request that we sent
enum class ServerId : std::uint64_t {};  // a request that we received

struct TransactionLimits {
  std::size_t transactions_max = 200'000;  // of both kinds together
  std::size_t servers_per_flow_max = 64;   // that live, of a flow that is not shared
};

// --- what an arrival means --------------------------------------------------------------------------------
struct NewRequest {  // for the core, which responds
  ServerId id{};
  std::optional<ServerId> cancelled;  // the INVITE that a CANCEL means (section 9.2), while it lives
};
struct NewAck {  // for a 2xx: for the core, and without a response
  std::optional<ServerId> invite;
};
struct NewResponse {
  ClientId id{};
};
struct Absorbed {};  // a repetition, or an ACK that was awaited
struct Stray {};     // a response to nothing that we sent: RFC 6026 section 7.2 has it dropped
struct TooMany {};   // a limit: 503 at most, without state
using RequestArrival = std::variant<NewRequest, NewAck, Absorbed, TooMany>;
using ResponseArrival = std::variant<NewResponse, Absorbed, Stray>;

enum class SendRefusal : std::uint8_t {
  too_many,
  unusable,   // no request, or without an own branch
  duplicate,  // the branch is taken
  too_large,  // see is_sendable()
};

// A request of our own under a Via of our own, whose branch is of RFC 3261: what its maker knows need not be
// read again.
struct OwnRequest {
  std::string text;
  std::string branch;
};

// --- effects ----------------------------------------------------------------------------------------------
struct SendMessage {
  std::uint64_t flow = 0;
  std::string bytes;
};
struct ClientTimedOut {  // as a 408
  ClientId id{};
};
struct ClientFlowFailed {  // as a 503; towards a client 430
  ClientId id{};
};
struct ServerLacksAck {  // of a refusal
  ServerId id{};
};
struct ServerFlowFailed {
  ServerId id{};
};
struct ClientEnded {  // the id means nothing from here on
  ClientId id{};
};
struct ServerEnded {
  ServerId id{};
};
using TransactionEffect = std::variant<SendMessage, ClientTimedOut, ClientFlowFailed, ServerLacksAck,
                                       ServerFlowFailed, ClientEnded, ServerEnded>;

class TransactionLayer {
 public:
  explicit TransactionLayer(const TransactionLimits& limits = {}, const Timers& timers = {})
      : limits_(limits), timers_(timers) {}

  RequestArrival on_request(const Message& request, const Flow& from, Now now);
  ResponseArrival on_response(const Message& response, Now now);
  // The same for those who cannot trust whoever sends: a response counts where its request went alone. Vias
  // tell the branches of a proxy to everybody behind it.
  ResponseArrival on_response(const Message& response, const Flow& from, Now now);
  void on_flow_closed(std::uint64_t flow, Now now);
  void on_timeout(Now now);

  // Any request but ACK, which has no transaction (a 2xx) or is sent by this layer (a refusal).
  [[nodiscard]] std::expected<ClientId, SendRefusal> send_request(std::string request, const Flow& to,
                                                                  Now now);
  // The method is that of the Request-Line and of CSeq.
  [[nodiscard]] std::expected<ClientId, SendRefusal> send_request(OwnRequest request, std::string_view method,
                                                                  const Flow& to, Now now);
  // False when it came too late.
  bool respond(ServerId id, std::string response, Now now);
  // RFC 3261 section 9.1: CANCEL goes once a provisional response has come; not when a final one has.
  void cancel(ClientId id, Now now);

  std::optional<TransactionEffect> next_effect();
  [[nodiscard]] std::optional<Instant> next_timeout();
  [[nodiscard]] std::size_t transaction_count() const { return client_keys_.size() + server_keys_.size(); }

 private:
  using Machine = std::variant<std::monostate, ClientTransaction, ServerTransaction>;
  using Keys = std::map<std::string, std::uint32_t, std::less<>>;
  static constexpr std::uint32_t nowhere = UINT32_MAX;

  struct Slot {
    Machine machine;
    std::uint32_t generation = 0;
    Flow flow;
    std::uint32_t previous_of_flow = nowhere;
    std::uint32_t next_of_flow = nowhere;
    Keys::iterator key;
    std::string sent;  // the request of a client while it may be needed again, the last response of a server
    std::string trying;  // the 100 of an INVITE's server until something was sent
    bool wants_cancel = false;
    std::optional<Instant> deadline;
  };
  struct FlowEntry {
    std::uint32_t first = nowhere;
    std::size_t servers = 0;
  };
  struct Alarm {
    Instant at{};
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    bool operator>(const Alarm& other) const { return at > other.at; }
  };

  template <typename Id>
  [[nodiscard]] Id id_of(std::uint32_t index) const {
    return static_cast<Id>(std::uint64_t{slots_[index].generation} << 32 | index);
  }
  template <typename Transaction, typename Id>
  [[nodiscard]] std::optional<std::uint32_t> find_slot(Id id) const;
  std::uint32_t take_slot(const Machine& machine, const Flow& flow);
  void release(std::uint32_t index);
  void link(std::uint32_t index);
  void unlink(std::uint32_t index);

  std::expected<ClientId, SendRefusal> start_client(std::string request, std::string key, bool is_invite,
                                                    const Flow& to, Now now);
  [[nodiscard]] std::optional<std::uint32_t> find_client(const Message& response) const;
  ResponseArrival deliver(std::uint32_t index, const Message& response, Now now);
  RequestArrival start_server(const Message& request, std::string key, const Flow& from, Now now);
  RequestArrival on_ack(const Message& ack, const Flow& from, Now now);
  void obey_client(std::uint32_t index, const Step& step, Now now);
  void obey_server(std::uint32_t index, const Step& step);
  void acknowledge(std::uint32_t index, const Message& response);
  void send_cancel(std::uint32_t index, Now now);
  void transmit(std::uint32_t index);
  void settle(std::uint32_t index);
  void on_slot_timeout(std::uint32_t index, Now now);
  [[nodiscard]] bool is_stale(const Alarm& alarm) const;
  void forget_stale_alarms();
  void emit(TransactionEffect effect) { effects_.push_back(std::move(effect)); }

  TransactionLimits limits_;
  Timers timers_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  Keys client_keys_;
  Keys server_keys_;
  std::unordered_map<std::uint64_t, FlowEntry> flows_;  // looked up alone
  std::vector<Alarm> alarms_;                           // a heap; the earliest is in front
  std::deque<TransactionEffect> effects_;
};

}  // namespace turnpike::sip
