#pragma once
// The media of a native WIC, which is no more than what shows that a relayed path works: RTP packets of PCMU
// size that one side numbers and the other sends back. The description (RFC 8866) names the relay address as
// its only candidate (RFC 8839), and no ICE checks and no DTLS follow: it is for two native WICs.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace turnpike::client {

std::string format_description(const SocketAddress& relayed, std::uint64_t session_id);
// Where media goes: the first candidate of type relay, else the default one of the first audio (c= and m=).
// Nothing where there is none that can be reached.
std::optional<SocketAddress> parse_description(std::string_view sdp);

// RTP (RFC 3550 section 5.1) of payload type 0, with the session and the number again in its payload.
inline constexpr std::size_t media_packet_min = 12 + 8 + 4;
struct MediaPacket {
  std::uint64_t session = 0;
  std::uint32_t number = 0;
};
ByteVector encode_media(const MediaPacket& packet, std::size_t payload_bytes);
std::optional<MediaPacket> decode_media(Bytes bytes);

}  // namespace turnpike::client
