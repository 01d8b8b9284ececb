#pragma once
// Numbered packets through flows that stand, paced or as fast as they come back, and what became of them.
// Private to load.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "client/load.hpp"
#include "client/load_flows.hpp"
#include "client/load_histogram.hpp"
#include "client/load_packet.hpp"
#include "client/load_process.hpp"
#include "client/load_sockets.hpp"

namespace turnpike::client {

class LoadTrafficRun {
 public:
  // `run` tells the packets of one run from those of another through the same flows.
  LoadTrafficRun(const LoadSettings& settings, LoadFlows& flows, std::uint64_t run);

  // `per_second`: packets of all flows and directions together; 0: as fast as they come back.
  std::expected<LoadTraffic, std::string> run(double per_second);

 private:
  struct Stream {  // one direction of one flow
    LoadFlow* flow = nullptr;
    bool is_down = false;
    bool is_queued = false;
    std::uint64_t next = 0;  // number of the next packet
    std::uint64_t measured_from = 0, measured_to = UINT64_MAX;
    std::int64_t on_the_way = 0;
    Instant progress_at{};
    LoadArrivals arrivals{};
  };
  struct Direction {
    std::uint64_t sent = 0, received = 0, duplicates = 0;
    LoadHistogram latency;
  };
  struct Sample {
    Instant at{};
    std::chrono::nanoseconds own_cpu{};
    std::optional<ProcessUsage> server{};
    std::uint64_t relayed = 0;
  };

  void add_streams();
  void turn();
  void receive(std::chrono::milliseconds timeout);
  void on_from_relay(LoadFlow& flow, Bytes datagram);
  void on_payload(Bytes payload, bool is_down);
  void on_packet(Stream& stream, const LoadPacket& packet);

  // --- paced
  void send_due();
  // --- unpaced
  void queue(Stream& stream);
  void send_queued();
  void write_off_stalled();
  [[nodiscard]] std::size_t credit_of(const Stream& stream) const;

  void send(Stream& stream, std::size_t packets);
  void add_datagrams(Stream& stream, std::size_t packets, const NativeAddress* to);
  void flush_peers();

  [[nodiscard]] std::expected<Sample, std::string> sample() const;
  [[nodiscard]] LoadTraffic summarize_between(const Sample& begin, const Sample& end) const;
  [[nodiscard]] LoadStream summarize_direction(const Direction& direction) const;

  const LoadSettings& settings_;
  LoadFlows& flows_;
  LoadPacketForge forge_;
  LoadReceiver receiver_;
  LoadSender client_sender_;
  std::vector<std::unique_ptr<LoadSender>> peer_senders_;
  std::vector<Stream> streams_;       // 2 * flow + is_down
  std::vector<std::uint32_t> order_;  // in which streams take their turns when paced
  std::vector<std::uint32_t> queued_, draining_;
  double per_second_ = 0;
  Instant now_{};
  Instant begun_at_{};
  Instant stalls_seen_at_{};
  std::uint64_t frames_done_ = 0;
  bool is_measuring_ = false;
  bool is_sending_ = true;
  std::uint64_t relayed_ = 0, corrupted_ = 0, foreign_ = 0, unsent_ = 0;
  std::array<Direction, 2> directions_;  // up, down
};

}  // namespace turnpike::client
