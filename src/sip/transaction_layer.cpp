#include "sip/transaction_layer.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"
#include "sip/transaction_key.hpp"

namespace turnpike::sip {
namespace {

constexpr std::size_t alarms_slack = 64;

std::uint16_t status_code_of(std::string_view response) {
  constexpr std::string_view version = "SIP/2.0 ";
  check(equal_ignoring_case(response.substr(0, version.size()), version),
        "a response of our own begins with the version");
  const auto code = parse_number(response.substr(version.size(), 3), 699);
  check(code && *code >= 100, "a response of our own has a status code");
  return static_cast<std::uint16_t>(*code);
}

std::string server_key(const Message& request, std::string_view method, const Flow& from) {
  std::string key = make_server_key(request, method);
  if (!from.is_shared) {
    key += '\n';
    key += std::to_string(from.id);
  }
  return key;
}

}  // namespace

// --- requests that arrive ---------------------------------------------------------------------------------

RequestArrival TransactionLayer::on_request(const Message& request, const Flow& from, Now now) {
  if (request.method() == Method::ack) return on_ack(request, from, now);
  std::string key = server_key(request, request.method_text(), from);
  const auto known = server_keys_.find(key);
  if (known == server_keys_.end()) return start_server(request, std::move(key), from, now);
  const std::uint32_t index = known->second;
  obey_server(index, std::get<ServerTransaction>(slots_[index].machine).on_request());
  return Absorbed{};
}

RequestArrival TransactionLayer::start_server(const Message& request, std::string key, const Flow& from,
                                              Now now) {
  if (transaction_count() >= limits_.transactions_max) return TooMany{};
  if (const auto flow = flows_.find(from.id);
      !from.is_shared && flow != flows_.end() && flow->second.servers >= limits_.servers_per_flow_max)
    return TooMany{};
  const bool is_invite = request.method() == Method::invite;
  const std::uint32_t index = take_slot(ServerTransaction{is_invite, from.is_reliable, timers_, now}, from);
  Slot& slot = slots_[index];
  slot.key = server_keys_.emplace(std::move(key), index).first;
  if (is_invite) slot.trying = make_response(request, 100, {}).finish();
  settle(index);

  NewRequest arrival{.id = id_of<ServerId>(index), .cancelled = std::nullopt};
  if (request.method() == Method::cancel) {
    const auto invite = server_keys_.find(server_key(request, to_string(Method::invite), from));
    if (invite != server_keys_.end()) arrival.cancelled = id_of<ServerId>(invite->second);
  }
  return arrival;
}

RequestArrival TransactionLayer::on_ack(const Message& ack, const Flow& from, Now now) {
  const auto invite = server_keys_.find(server_key(ack, to_string(Method::invite), from));
  if (invite == server_keys_.end()) return NewAck{};
  const std::uint32_t index = invite->second;
  const auto id = id_of<ServerId>(index);
  const Step step = std::get<ServerTransaction>(slots_[index].machine).on_ack(now);
  obey_server(index, step);
  if (step.deliver) return NewAck{.invite = id};
  return Absorbed{};
}

bool TransactionLayer::respond(ServerId id, std::string response, Now now) {
  const auto index = find_slot<ServerTransaction>(id);
  if (!index) return false;
  Slot& slot = slots_[*index];
  const Step step = std::get<ServerTransaction>(slot.machine).on_response(status_code_of(response), now);
  if (!step.transmit) return false;
  slot.sent = std::move(response);
  slot.trying.clear();
  obey_server(*index, step);
  return true;
}

void TransactionLayer::obey_server(std::uint32_t index, const Step& step) {
  Slot& slot = slots_[index];
  if (step.send_trying) slot.sent = std::exchange(slot.trying, {});
  if (step.transmit || step.send_trying) transmit(index);
  if (step.time_out) emit(ServerLacksAck{id_of<ServerId>(index)});
  settle(index);
}

// --- requests that we send --------------------------------------------------------------------------------

std::expected<ClientId, SendRefusal> TransactionLayer::send_request(std::string request, const Flow& to,
                                                                    Now now) {
  const auto message = Message::parse(request);
  if (!message && !is_sendable(request)) return std::unexpected(SendRefusal::too_large);
  if (!message || !message->is_request() || message->method() == Method::ack)
    return std::unexpected(SendRefusal::unusable);
  auto key = make_client_key(*message);
  if (!key) return std::unexpected(SendRefusal::unusable);
  const bool is_invite = message->method() == Method::invite;
  return start_client(std::move(request), *std::move(key), is_invite, to, now);
}

std::expected<ClientId, SendRefusal> TransactionLayer::send_request(OwnRequest request,
                                                                    std::string_view method, const Flow& to,
                                                                    Now now) {
  if (!is_sendable(request.text)) return std::unexpected(SendRefusal::too_large);
  return start_client(std::move(request.text), make_client_key(request.branch, method),
                      method == to_string(Method::invite), to, now);
}

std::expected<ClientId, SendRefusal> TransactionLayer::start_client(std::string request, std::string key,
                                                                    bool is_invite, const Flow& to, Now now) {
  if (client_keys_.contains(key)) return std::unexpected(SendRefusal::duplicate);
  if (transaction_count() >= limits_.transactions_max) return std::unexpected(SendRefusal::too_many);
  const std::uint32_t index = take_slot(ClientTransaction{is_invite, to.is_reliable, timers_, now}, to);
  Slot& slot = slots_[index];
  slot.key = client_keys_.emplace(std::move(key), index).first;
  if (is_invite || !to.is_reliable) {  // for ACK, CANCEL and retransmission
    slot.sent = std::move(request);
    transmit(index);
  } else {
    emit(SendMessage{to.id, std::move(request)});
  }
  settle(index);
  return id_of<ClientId>(index);
}

std::optional<std::uint32_t> TransactionLayer::find_client(const Message& response) const {
  const auto key = make_client_key(response);
  const auto known = key ? client_keys_.find(*key) : client_keys_.end();
  return known == client_keys_.end() ? std::nullopt : std::optional{known->second};
}

ResponseArrival TransactionLayer::on_response(const Message& response, Now now) {
  const auto index = find_client(response);
  return index ? deliver(*index, response, now) : ResponseArrival{Stray{}};
}

ResponseArrival TransactionLayer::on_response(const Message& response, const Flow& from, Now now) {
  const auto index = find_client(response);
  if (!index) return Stray{};
  const Flow& asked = slots_[*index].flow;
  // Behind a shared address an answer may come from another place than the one that was asked.
  const bool is_from_there = asked.is_shared ? from.is_shared : asked.id == from.id;
  return is_from_there ? deliver(*index, response, now) : ResponseArrival{Stray{}};
}

ResponseArrival TransactionLayer::deliver(std::uint32_t index, const Message& response, Now now) {
  const auto id = id_of<ClientId>(index);
  const Step step =
      std::get<ClientTransaction>(slots_[index].machine).on_response(response.status_code(), now);
  if (step.acknowledge) acknowledge(index, response);
  obey_client(index, step, now);
  if (step.deliver) return NewResponse{id};
  return Absorbed{};
}

void TransactionLayer::acknowledge(std::uint32_t index, const Message& response) {
  const Slot& slot = slots_[index];
  const auto invite = Message::parse(slot.sent);
  if (!invite) return;
  if (auto ack = make_ack(*invite, response)) emit(SendMessage{slot.flow.id, *std::move(ack)});
}

void TransactionLayer::cancel(ClientId id, Now now) {
  const auto index = find_slot<ClientTransaction>(id);
  if (!index) return;
  const auto& client = std::get<ClientTransaction>(slots_[*index].machine);
  if (!client.is_invite()) return;
  if (client.state() == ClientTransaction::State::calling) slots_[*index].wants_cancel = true;
  if (client.state() == ClientTransaction::State::proceeding) send_cancel(*index, now);
}

void TransactionLayer::send_cancel(std::uint32_t index, Now now) {
  slots_[index].wants_cancel = false;
  std::get<ClientTransaction>(slots_[index].machine).on_cancelled(now);
  const auto invite = Message::parse(slots_[index].sent);
  auto request = invite ? make_cancel(*invite) : std::nullopt;
  settle(index);
  if (!request) return;
  // Where it cannot be sent, the INVITE still ends by its time; a second one is a duplicate.
  const auto sent = send_request(*std::move(request), Flow{slots_[index].flow}, now);
  static_cast<void>(sent.has_value());
}

void TransactionLayer::obey_client(std::uint32_t index, const Step& step, Now now) {
  if (step.transmit) transmit(index);
  if (step.time_out) emit(ClientTimedOut{id_of<ClientId>(index)});
  const auto& client = std::get<ClientTransaction>(slots_[index].machine);
  if (slots_[index].wants_cancel && client.state() == ClientTransaction::State::proceeding)
    send_cancel(index, now);
  settle(index);
}

// --- time and flows
// -----------------------------------------------------------------------------------------

void TransactionLayer::on_timeout(Now now) {
  while (!alarms_.empty() && alarms_.front().at <= now.mono) {
    const Alarm alarm = alarms_.front();
    std::pop_heap(alarms_.begin(), alarms_.end(), std::greater{});
    alarms_.pop_back();
    if (is_stale(alarm)) continue;
    slots_[alarm.slot].deadline.reset();
    on_slot_timeout(alarm.slot, now);
  }
}

void TransactionLayer::on_slot_timeout(std::uint32_t index, Now now) {
  if (auto* client = std::get_if<ClientTransaction>(&slots_[index].machine))
    obey_client(index, client->on_timeout(now), now);
  else
    obey_server(index, std::get<ServerTransaction>(slots_[index].machine).on_timeout(now));
}

void TransactionLayer::on_flow_closed(std::uint64_t flow, Now) {
  const auto entry = flows_.find(flow);
  std::uint32_t next = entry == flows_.end() ? nowhere : entry->second.first;
  while (next != nowhere) {
    const std::uint32_t index = std::exchange(next, slots_[next].next_of_flow);
    if (auto* client = std::get_if<ClientTransaction>(&slots_[index].machine)) {
      if (client->on_transport_error().time_out) emit(ClientFlowFailed{id_of<ClientId>(index)});
    } else if (std::get<ServerTransaction>(slots_[index].machine).on_transport_error().time_out) {
      emit(ServerFlowFailed{id_of<ServerId>(index)});
    }
    settle(index);
  }
}

std::optional<TransactionEffect> TransactionLayer::next_effect() {
  if (effects_.empty()) return std::nullopt;
  TransactionEffect effect = std::move(effects_.front());
  effects_.pop_front();
  return effect;
}

std::optional<Instant> TransactionLayer::next_timeout() {
  forget_stale_alarms();
  if (alarms_.empty()) return std::nullopt;
  return alarms_.front().at;
}

void TransactionLayer::transmit(std::uint32_t index) {
  Slot& slot = slots_[index];
  const auto* server = std::get_if<ServerTransaction>(&slot.machine);
  // The last word of a transaction, as a final response over a reliable transport is, need not be kept.
  const bool is_last = server != nullptr && server->is_terminated();
  emit(SendMessage{slot.flow.id, is_last ? std::move(slot.sent) : slot.sent});
}

// After each input: the machine's next time, or its end.
void TransactionLayer::settle(std::uint32_t index) {
  Slot& slot = slots_[index];
  const auto* client = std::get_if<ClientTransaction>(&slot.machine);
  const auto* server = std::get_if<ServerTransaction>(&slot.machine);
  if (client != nullptr ? client->is_terminated() : server->is_terminated()) {
    release(index);
    return;
  }
  const auto deadline = client != nullptr ? client->next_timeout() : server->next_timeout();
  if (deadline == slot.deadline) return;
  slot.deadline = deadline;
  if (!deadline) return;
  alarms_.push_back({.at = *deadline, .slot = index, .generation = slot.generation});
  std::push_heap(alarms_.begin(), alarms_.end(), std::greater{});
}

bool TransactionLayer::is_stale(const Alarm& alarm) const {
  const Slot& slot = slots_[alarm.slot];
  return slot.generation != alarm.generation || slot.deadline != alarm.at;
}

// Those in front always, all of them when they are more than those that count.
void TransactionLayer::forget_stale_alarms() {
  while (!alarms_.empty() && is_stale(alarms_.front())) {
    std::pop_heap(alarms_.begin(), alarms_.end(), std::greater{});
    alarms_.pop_back();
  }
  if (alarms_.size() <= 2 * transaction_count() + alarms_slack) return;
  std::erase_if(alarms_, [this](const Alarm& alarm) { return is_stale(alarm); });
  std::make_heap(alarms_.begin(), alarms_.end(), std::greater{});
}

// --- slots ------------------------------------------------------------------------------------------------

template <typename Transaction, typename Id>
std::optional<std::uint32_t> TransactionLayer::find_slot(Id id) const {
  const auto index = static_cast<std::uint32_t>(static_cast<std::uint64_t>(id) & UINT32_MAX);
  if (index >= slots_.size() || id_of<Id>(index) != id) return std::nullopt;
  return std::holds_alternative<Transaction>(slots_[index].machine) ? std::optional{index} : std::nullopt;
}

std::uint32_t TransactionLayer::take_slot(const Machine& machine, const Flow& flow) {
  std::uint32_t index = 0;
  if (free_slots_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[index].machine = machine;
  slots_[index].flow = flow;
  link(index);
  return index;
}

void TransactionLayer::release(std::uint32_t index) {
  Slot& slot = slots_[index];
  unlink(index);
  if (std::holds_alternative<ClientTransaction>(slot.machine)) {
    emit(ClientEnded{id_of<ClientId>(index)});
    client_keys_.erase(slot.key);
  } else {
    emit(ServerEnded{id_of<ServerId>(index)});
    server_keys_.erase(slot.key);
  }
  const std::uint32_t generation = slot.generation + 1;  // old ids and alarms mean nothing from here on
  slot = Slot{};
  slot.generation = generation;
  free_slots_.push_back(index);
}

void TransactionLayer::link(std::uint32_t index) {
  Slot& slot = slots_[index];
  FlowEntry& flow = flows_[slot.flow.id];
  slot.next_of_flow = std::exchange(flow.first, index);
  if (slot.next_of_flow != nowhere) slots_[slot.next_of_flow].previous_of_flow = index;
  if (std::holds_alternative<ServerTransaction>(slot.machine)) ++flow.servers;
}

void TransactionLayer::unlink(std::uint32_t index) {
  const Slot& slot = slots_[index];
  const auto flow = flows_.find(slot.flow.id);
  if (std::holds_alternative<ServerTransaction>(slot.machine)) --flow->second.servers;
  if (slot.next_of_flow != nowhere) slots_[slot.next_of_flow].previous_of_flow = slot.previous_of_flow;
  if (slot.previous_of_flow != nowhere)
    slots_[slot.previous_of_flow].next_of_flow = slot.next_of_flow;
  else
    flow->second.first = slot.next_of_flow;
  if (flow->second.first == nowhere) flows_.erase(flow);
}

}  // namespace turnpike::sip
