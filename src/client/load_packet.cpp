#include "client/load_packet.hpp"

#include <algorithm>
#include <cstring>

#include "base/random.hpp"

namespace turnpike::client {
namespace {

constexpr std::size_t offsets = 64;  // the body of a packet starts at one of so many places in the block

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

LoadPacketForge::LoadPacketForge(std::uint64_t seed, std::size_t payload_bytes)
    : seed_(mix(seed + 0x9e3779b97f4a7c15u)),
      run_(static_cast<std::uint32_t>(seed_ >> 32)),
      body_size_(payload_bytes - load_head_size),
      block_(body_size_ + offsets) {
  SeededRandom random{seed_};
  random.fill(block_);
}

void LoadPacketForge::write_head(const LoadPacket& packet, Byte* head) const {
  store_big(head, packet.stream);
  store_big(head + 4, run_);
  store_big(head + 8, packet.sequence);
  store_big(head + 16, packet.sent_at_ns);
  store_big(head + 24, digest(packet));
}

Bytes LoadPacketForge::body_of(std::uint64_t sequence) const {
  return Bytes{block_}.subspan(sequence % offsets, body_size_);
}

LoadPacketForge::Reading LoadPacketForge::read(Bytes payload) const {
  if (payload.size() < load_head_size) return {Verdict::foreign};
  if (load_big<std::uint32_t>(payload.data() + 4) != run_) return {Verdict::foreign};
  const LoadPacket packet{.stream = load_big<std::uint32_t>(payload.data()),
                          .sequence = load_big<std::uint64_t>(payload.data() + 8),
                          .sent_at_ns = load_big<std::uint64_t>(payload.data() + 16)};
  if (load_big<std::uint64_t>(payload.data() + 24) != digest(packet)) return {Verdict::corrupted};
  if (!equal(payload.subspan(load_head_size), body_of(packet.sequence))) return {Verdict::corrupted};
  return {Verdict::intact, packet};
}

std::uint64_t LoadPacketForge::digest(const LoadPacket& packet) const {
  return mix(mix(mix(seed_ + packet.stream) + packet.sequence) + packet.sent_at_ns);
}

LoadArrivals::Verdict LoadArrivals::accept(std::uint64_t sequence) {
  if (sequence + window < next_) return Verdict::duplicate;  // too old to tell; it counts as late, not as new
  if (sequence >= next_ + window) {
    seen_.fill(0);
    next_ = sequence + 1;
  }
  for (; next_ <= sequence; ++next_) {
    const std::uint64_t slot = next_ % window;
    seen_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  }
  const std::uint64_t slot = sequence % window;
  const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
  if ((seen_[slot / 64] & bit) != 0) return Verdict::duplicate;
  seen_[slot / 64] |= bit;
  return Verdict::first;
}

}  // namespace turnpike::client
