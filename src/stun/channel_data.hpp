#pragma once
// ChannelData, RFC 8656 section 12.4:
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |         Channel Number        |            Length             |
//   /                       Application Data                        /
//
// Over UDP it may be followed by up to 3 bytes of padding; length does not count them.

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace turnpike::stun {

inline constexpr std::size_t channel_header_size = 4;
inline constexpr std::uint16_t channel_number_min = 0x4000;
inline constexpr std::uint16_t channel_number_max = 0x4fff;
// RFC 5766 section 11: clients written to the older range are still about, coturn's own among them.
inline constexpr std::uint16_t channel_number_rfc5766_max = 0x7fff;

// The first byte tells ChannelData from STUN (0..3). RFC 7983 leaves 64..79 to it, where more protocols share
// a port; RFC 5766 had 64..127.
constexpr bool looks_like_channel_data(Byte first) { return first >= 0x40 && first <= 0x7f; }

struct ChannelData {
  std::uint16_t channel = 0;
  Bytes payload;
};

// Nothing when the number is out of range or the length reaches beyond the datagram.
inline std::optional<ChannelData> decode_channel_data(Bytes datagram) {
  if (datagram.size() < channel_header_size) return std::nullopt;
  const auto channel = load_big<std::uint16_t>(datagram.data());
  const auto length = load_big<std::uint16_t>(datagram.data() + 2);
  if (channel < channel_number_min || channel > channel_number_rfc5766_max) return std::nullopt;
  if (length > datagram.size() - channel_header_size) return std::nullopt;
  return ChannelData{channel, datagram.subspan(channel_header_size, length)};
}

inline std::array<Byte, channel_header_size> encode_channel_header(std::uint16_t channel,
                                                                   std::size_t length) {
  std::array<Byte, channel_header_size> header;
  store_big(header.data(), channel);
  store_big(header.data() + 2, static_cast<std::uint16_t>(length));
  return header;
}

}  // namespace turnpike::stun
