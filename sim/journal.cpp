#include "sim/journal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace turnpike::sim {
namespace {

double seconds_of(Now now) { return std::chrono::duration<double>(now.mono.time_since_epoch()).count(); }

}  // namespace

void Journal::note(Now now, std::string_view what) {
  open_line(now, what);
  if (reader_) reader_(fmt::format("{:14.6f} {}", seconds_of(now), what));
}

void Journal::packet(Now now, std::string_view what, const SocketAddress& from, const SocketAddress& to,
                     Bytes bytes) {
  open_line(now, what);
  mix(from);
  mix(to);
  mix(bytes);
  if (reader_)
    reader_(fmt::format("{:14.6f} {} {} -> {} {} bytes {}", seconds_of(now), what, from.to_string(),
                        to.to_string(), bytes.size(),
                        to_hex(bytes.first(std::min<std::size_t>(bytes.size(), 20)))));
}

void Journal::open_line(Now now, std::string_view what) {
  ++lines_;
  mix(static_cast<std::uint64_t>(now.mono.time_since_epoch().count()));
  mix(static_cast<std::uint64_t>(now.wall.time_since_epoch().count()));
  mix(as_bytes(what));
}

void Journal::mix(std::uint64_t word) {
  hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15;
  hash_ ^= hash_ >> 29;
}

void Journal::mix(Bytes bytes) {
  mix(bytes.size());
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) mix(load_big<std::uint64_t>(bytes.data() + at));
  std::uint64_t rest = 0;
  for (; at < bytes.size(); ++at) rest = rest << 8 | bytes[at];
  mix(rest);
}

void Journal::mix(const SocketAddress& address) {
  mix(address.ip.bytes());
  mix(address.port);
}

}  // namespace turnpike::sim
