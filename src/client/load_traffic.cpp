#include "client/load_traffic.hpp"

#include <algorithm>
#include <utility>

#include "stun/channel_data.hpp"
#include "stun/message.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds drain_quiet{100};  // after the last packet
constexpr milliseconds drain_max{1000};
constexpr milliseconds stall{200};  // without progress what is on the way counts as lost
constexpr milliseconds stalls_every{50};
constexpr milliseconds lateness_max{50};       // of a paced generator, before it gives packets up
constexpr std::uint64_t frames_per_turn = 32;  // then it looks at what has arrived

Instant read_mono() { return read_clocks().mono; }

double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
double to_us(Duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }
double ratio(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

LoadTrafficRun::LoadTrafficRun(const LoadSettings& settings, LoadFlows& flows, std::uint64_t run)
    : settings_(settings),
      flows_(flows),
      forge_(settings.seed * 1'000'003 + run, settings.payload_bytes),
      client_sender_(forge_) {
  for (std::size_t i = 0; i < flows.peers().size(); ++i)
    peer_senders_.push_back(std::make_unique<LoadSender>(forge_));
  add_streams();
}

void LoadTrafficRun::add_streams() {
  for (LoadFlow& flow : flows_.flows())
    for (const bool is_down : {false, true}) streams_.push_back({.flow = &flow, .is_down = is_down});
  const auto takes_part = [&](const Stream& stream) {
    if (stream.flow->state != LoadFlow::State::ready) return false;
    return settings_.direction == LoadDirection::both ||
           stream.is_down == (settings_.direction == LoadDirection::down);
  };
  for (std::uint32_t i = 0; i < streams_.size(); ++i)
    if (takes_part(streams_[i])) order_.push_back(i);
  SeededRandom random{settings_.seed};
  for (std::uint32_t i = static_cast<std::uint32_t>(order_.size()); i > 1; --i)
    std::swap(order_[i - 1], order_[random.below(i)]);
}

std::expected<LoadTraffic, std::string> LoadTrafficRun::run(double per_second) {
  per_second_ = per_second;
  begun_at_ = now_ = read_mono();
  if (per_second_ == 0)
    for (const std::uint32_t index : order_) queue(streams_[index]);

  while (now_ < begun_at_ + settings_.warm_up) turn();
  for (Stream& stream : streams_) stream.measured_from = stream.next;
  unsent_ = corrupted_ = foreign_ = 0;
  is_measuring_ = true;
  const auto begin = sample();
  if (!begin) return std::unexpected(begin.error());
  while (now_ < begin->at + settings_.duration) turn();
  const auto end = sample();
  if (!end) return std::unexpected(end.error());
  for (Stream& stream : streams_) {
    stream.measured_to = stream.next;
    directions_[stream.is_down].sent += stream.measured_to - stream.measured_from;
  }

  is_sending_ = false;
  const Instant stopped_at = now_;
  for (Instant heard_at = now_; now_ - heard_at < drain_quiet && now_ - stopped_at < drain_max;) {
    const std::uint64_t before = relayed_;
    receive(milliseconds{10});
    now_ = read_mono();
    if (relayed_ != before) heard_at = now_;
  }
  return summarize_between(*begin, *end);
}

void LoadTrafficRun::turn() {
  receive(milliseconds{per_second_ == 0 && queued_.empty() ? 10 : 0});
  now_ = read_mono();
  flows_.keep_alive();
  if (per_second_ > 0) {
    send_due();
  } else {
    write_off_stalled();
    send_queued();
  }
  flush_peers();
}

// --- arrivals ---------------------------------------------------------------------------------------------

void LoadTrafficRun::receive(milliseconds timeout) {
  flows_.wait(timeout, [this](LoadFlows::Ready ready) {
    if (ready.is_peer) {
      const int descriptor = flows_.peers()[ready.index].socket.descriptor();
      receiver_.receive(descriptor, [this](Bytes payload) { on_payload(payload, false); });
    } else {
      LoadFlow& flow = flows_.flows()[ready.index];
      receiver_.receive(flow.socket.descriptor(), [&](Bytes datagram) { on_from_relay(flow, datagram); });
    }
  });
}

void LoadTrafficRun::on_from_relay(LoadFlow& flow, Bytes datagram) {
  if (datagram.empty()) return;
  if (stun::looks_like_channel_data(datagram[0])) {
    const auto data = stun::decode_channel_data(datagram);
    if (!data || data->channel != flow.channel)
      ++foreign_;
    else
      on_payload(data->payload, true);
    return;
  }
  const auto message = stun::Message::decode(datagram);
  if (!message) {
    ++foreign_;
  } else if (message->method() != stun::Method::data) {
    flows_.on_control(flow, datagram);
  } else if (const auto payload = message->find(stun::AttributeType::data)) {
    on_payload(*payload, true);
  }
}

void LoadTrafficRun::on_payload(Bytes payload, bool is_down) {
  const auto reading = forge_.read(payload);
  if (reading.verdict == LoadPacketForge::Verdict::foreign) {
    ++foreign_;
    return;
  }
  const bool is_known = reading.packet.stream < streams_.size();
  if (reading.verdict == LoadPacketForge::Verdict::corrupted || !is_known ||
      streams_[reading.packet.stream].is_down != is_down) {
    ++corrupted_;
    return;
  }
  on_packet(streams_[reading.packet.stream], reading.packet);
}

void LoadTrafficRun::on_packet(Stream& stream, const LoadPacket& packet) {
  Direction& direction = directions_[stream.is_down];
  const bool is_measured =
      is_measuring_ && packet.sequence >= stream.measured_from && packet.sequence < stream.measured_to;
  if (stream.arrivals.accept(packet.sequence) == LoadArrivals::Verdict::duplicate) {
    direction.duplicates += is_measured ? 1 : 0;
    return;
  }
  ++relayed_;
  --stream.on_the_way;
  stream.progress_at = now_;
  queue(stream);
  if (!is_measured) return;
  ++direction.received;
  const auto now_ns = static_cast<std::uint64_t>(read_mono().time_since_epoch().count());
  direction.latency.record(now_ns > packet.sent_at_ns ? now_ns - packet.sent_at_ns : 0);
}

// --- paced ------------------------------------------------------------------------------------------------

void LoadTrafficRun::send_due() {
  if (order_.empty()) return;
  const double frames_per_second = per_second_ / static_cast<double>(settings_.packets_per_frame);
  const auto due = static_cast<std::uint64_t>(to_seconds(now_ - begun_at_) * frames_per_second);
  const auto late_max = static_cast<std::uint64_t>(to_seconds(lateness_max) * frames_per_second) + 1;
  if (due > frames_done_ + late_max) {
    const std::uint64_t given_up = due - frames_done_ - late_max;
    unsent_ += given_up * settings_.packets_per_frame;
    frames_done_ += given_up;
  }
  const std::uint64_t end = std::min(due, frames_done_ + frames_per_turn);
  for (; frames_done_ < end; ++frames_done_)
    send(streams_[order_[frames_done_ % order_.size()]], settings_.packets_per_frame);
}

// --- unpaced ----------------------------------------------------------------------------------------------

std::size_t LoadTrafficRun::credit_of(const Stream& stream) const {
  const auto window = static_cast<std::int64_t>(settings_.window);
  const auto credit = static_cast<std::size_t>(std::max<std::int64_t>(0, window - stream.on_the_way));
  return settings_.segments > 1 ? credit - credit % settings_.segments : credit;  // whole trains
}

void LoadTrafficRun::queue(Stream& stream) {
  if (per_second_ > 0 || stream.is_queued || credit_of(stream) == 0) return;
  stream.is_queued = true;
  queued_.push_back(static_cast<std::uint32_t>(&stream - streams_.data()));
}

void LoadTrafficRun::send_queued() {
  if (!is_sending_) return;
  std::swap(queued_, draining_);
  for (const std::uint32_t index : draining_) {
    Stream& stream = streams_[index];
    stream.is_queued = false;
    send(stream, credit_of(stream));
  }
  draining_.clear();
}

void LoadTrafficRun::write_off_stalled() {
  if (now_ - stalls_seen_at_ < stalls_every) return;
  stalls_seen_at_ = now_;
  for (const std::uint32_t index : order_) {
    Stream& stream = streams_[index];
    if (stream.on_the_way <= 0 || now_ - stream.progress_at < stall) continue;
    stream.on_the_way = 0;
    queue(stream);
  }
}

// --- sending ----------------------------------------------------------------------------------------------

void LoadTrafficRun::send(Stream& stream, std::size_t packets) {
  if (stream.on_the_way <= 0) stream.progress_at = now_;
  stream.on_the_way += static_cast<std::int64_t>(packets);
  if (stream.is_down) {
    LoadSender& sender = *peer_senders_[stream.flow->peer];
    const int descriptor = flows_.peers()[stream.flow->peer].socket.descriptor();
    if (!sender.has_room(packets)) unsent_ += sender.flush(descriptor);
    add_datagrams(stream, packets, &stream.flow->relayed_native);
  } else {
    add_datagrams(stream, packets, nullptr);
    unsent_ += client_sender_.flush(stream.flow->socket.descriptor());
  }
}

void LoadTrafficRun::add_datagrams(Stream& stream, std::size_t packets, const NativeAddress* to) {
  LoadSender& sender = stream.is_down ? *peer_senders_[stream.flow->peer] : client_sender_;
  const int descriptor = stream.is_down ? flows_.peers()[stream.flow->peer].socket.descriptor()
                                        : stream.flow->socket.descriptor();
  const auto index = static_cast<std::uint32_t>(&stream - streams_.data());
  const Bytes prefix = stream.is_down ? Bytes{} : Bytes{stream.flow->prefix};
  const auto sent_at = static_cast<std::uint64_t>(read_mono().time_since_epoch().count());
  for (std::size_t i = 0; i < packets; ++i) {
    if (i % settings_.segments == 0) {
      if (!sender.has_room(settings_.segments)) unsent_ += sender.flush(descriptor);
      sender.open(to);
    }
    sender.add(prefix, {.stream = index, .sequence = stream.next++, .sent_at_ns = sent_at});
  }
}

void LoadTrafficRun::flush_peers() {
  for (std::size_t i = 0; i < peer_senders_.size(); ++i)
    if (!peer_senders_[i]->empty()) unsent_ += peer_senders_[i]->flush(flows_.peers()[i].socket.descriptor());
}

// --- figures ----------------------------------------------------------------------------------------------

std::expected<LoadTrafficRun::Sample, std::string> LoadTrafficRun::sample() const {
  Sample sample{.at = now_, .own_cpu = measure_own_cpu(), .relayed = relayed_};
  if (!settings_.server_pid) return sample;
  const auto usage = measure_process(*settings_.server_pid);
  if (!usage) return std::unexpected(usage.error());
  sample.server = *usage;
  return sample;
}

LoadTraffic LoadTrafficRun::summarize_between(const Sample& begin, const Sample& end) const {
  LoadTraffic traffic{.seconds = to_seconds(end.at - begin.at),
                      .up = summarize_direction(directions_[0]),
                      .down = summarize_direction(directions_[1]),
                      .corrupted = corrupted_,
                      .foreign = foreign_,
                      .unsent = unsent_};
  const auto relayed = static_cast<double>(end.relayed - begin.relayed);
  const auto sent = static_cast<double>(traffic.up.sent + traffic.down.sent);
  traffic.offered_per_second = ratio(sent, traffic.seconds);
  traffic.relayed_per_second = ratio(relayed, traffic.seconds);
  traffic.loss = ratio(static_cast<double>(traffic.up.lost() + traffic.down.lost()), sent);
  traffic.generator_busy = ratio(to_seconds(end.own_cpu - begin.own_cpu), traffic.seconds);
  if (!begin.server || !end.server || relayed == 0) return traffic;
  const Duration cpu = end.server->cpu - begin.server->cpu;
  const auto user = to_seconds(end.server->user_cpu - begin.server->user_cpu);
  const auto system = to_seconds(end.server->system_cpu - begin.server->system_cpu);
  traffic.server_cpu_us = to_us(cpu) / relayed;
  traffic.server_busy = ratio(to_seconds(cpu), traffic.seconds);
  traffic.server_cpu_user_us = *traffic.server_cpu_us * ratio(user, user + system);
  return traffic;
}

LoadStream LoadTrafficRun::summarize_direction(const Direction& direction) const {
  return {.sent = direction.sent,
          .received = direction.received,
          .duplicates = direction.duplicates,
          .bytes = direction.received * settings_.payload_bytes,
          .latency = summarize(direction.latency)};
}

}  // namespace turnpike::client
