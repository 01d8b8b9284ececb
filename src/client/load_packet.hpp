#pragma once
// The packets of the load generator and what is learnt from their arrival. A packet tells its stream, number
// and time of sending; a digest seals these, and the rest is a piece of a fixed random block, so that a
// single wrong bit shows.
//
//   | stream, 32 bits | run, 32 bits | sequence, 64 bits | sent at, ns, 64 bits | digest, 64 bits | body ...

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace turnpike::client {

inline constexpr std::size_t load_head_size = 32;
using LoadHead = std::array<Byte, load_head_size>;

struct LoadPacket {
  std::uint32_t stream = 0;
  std::uint64_t sequence = 0;
  std::uint64_t sent_at_ns = 0;
};

class LoadPacketForge {
 public:
  // `payload_bytes` counts the head: at least load_head_size.
  LoadPacketForge(std::uint64_t seed, std::size_t payload_bytes);

  void write_head(const LoadPacket& packet, Byte* head) const;
  [[nodiscard]] Bytes body_of(std::uint64_t sequence) const;

  enum class Verdict : std::uint8_t { intact, corrupted, foreign };
  struct Reading {
    Verdict verdict{};
    LoadPacket packet{};
  };
  [[nodiscard]] Reading read(Bytes payload) const;
  [[nodiscard]] std::size_t payload_bytes() const { return load_head_size + body_size_; }

 private:
  [[nodiscard]] std::uint64_t digest(const LoadPacket& packet) const;

  std::uint64_t seed_;
  std::uint32_t run_;
  std::size_t body_size_;
  ByteVector block_;
};

// Which numbers of one stream have arrived, as far back as 512 packets.
class LoadArrivals {
 public:
  enum class Verdict : std::uint8_t { first, duplicate };
  Verdict accept(std::uint64_t sequence);

 private:
  static constexpr std::uint64_t window = 512;
  std::array<std::uint64_t, window / 64> seen_{};
  std::uint64_t next_ = 0;  // one more than the highest number seen
};

}  // namespace turnpike::client
