#include "client/wic_media.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sip/text.hpp"

namespace turnpike::client {
namespace {

constexpr std::size_t rtp_header_bytes = 12;
constexpr std::uint32_t samples_per_packet = 160;  // 20 ms of PCMU
constexpr Byte rtp_version = 0x80;
constexpr std::size_t lines_max = 256;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty() && words.size() < 16) {
    const auto space = line.find(' ');
    if (space != 0) words.push_back(line.substr(0, space));
    line = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
  }
  return words;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  const auto port = sip::parse_number(text, 65535);
  return port && *port > 0 ? std::optional{static_cast<std::uint16_t>(*port)} : std::nullopt;
}

// "IN IP4 192.0.2.1"
std::optional<IpAddress> connection_of(std::string_view value) {
  const auto words = words_of(value);
  return words.size() == 3 && words[0] == "IN" ? IpAddress::parse(words[2]) : std::nullopt;
}

// "1 1 UDP 16777215 192.0.2.1 49160 typ relay ..."
std::optional<SocketAddress> relay_of(std::string_view value) {
  const auto words = words_of(value);
  if (words.size() < 8 || !sip::equal_ignoring_case(words[2], "udp") || words[7] != "relay")
    return std::nullopt;
  const auto ip = IpAddress::parse(words[4]);
  const auto port = port_of(words[5]);
  if (words[1] != "1" || !ip || !port) return std::nullopt;
  return SocketAddress{*ip, *port};
}

// The first audio of a description, line by line.
class Audio {
 public:
  // False where nothing that follows matters.
  bool read(std::string_view line) {
    if (line.starts_with("m=")) return read_media(line.substr(2));
    if (line.starts_with("c="))
      (is_in_audio_ ? media_ip_ : session_ip_) = connection_of(line.substr(2));
    else if (is_in_audio_ && line.starts_with("a=candidate:"))
      relay_ = relay_of(line.substr(12));
    return !relay_;
  }
  [[nodiscard]] std::optional<SocketAddress> address() const {
    if (relay_) return relay_;
    const auto ip = media_ip_ ? media_ip_ : session_ip_;
    if (!ip || !port_ || ip->is_unspecified()) return std::nullopt;
    return SocketAddress{*ip, *port_};
  }

 private:
  bool read_media(std::string_view media) {
    if (is_in_audio_) return false;
    const auto words = words_of(media);
    is_in_audio_ = words.size() >= 4 && words[0] == "audio";
    if (is_in_audio_) port_ = port_of(words[1]);
    return true;
  }

  std::optional<IpAddress> session_ip_{}, media_ip_{};
  std::optional<std::uint16_t> port_{};
  std::optional<SocketAddress> relay_{};
  bool is_in_audio_ = false;
};

}  // namespace

std::string format_description(const SocketAddress& relayed, std::uint64_t session_id) {
  const std::string_view family = relayed.ip.is_v4() ? "IP4" : "IP6";
  const std::string ip = relayed.ip.to_string();
  // RFC 8839 section 5.1: raddr and rport hide what the client's own address is.
  return fmt::format(
      "v=0\r\no=- {0} 1 IN {1} {2}\r\ns=-\r\nc=IN {1} {2}\r\nt=0 0\r\n"
      "m=audio {3} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\na=sendrecv\r\n"
      "a=candidate:1 1 UDP 16777215 {2} {3} typ relay raddr {4} rport 9\r\n",
      session_id >> 1, family, ip, relayed.port, relayed.ip.is_v4() ? "0.0.0.0" : "::");
}

std::optional<SocketAddress> parse_description(std::string_view sdp) {
  Audio audio;
  for (std::size_t count = 0; !sdp.empty() && count < lines_max; ++count) {
    const auto end = sdp.find('\n');
    std::string_view line = sdp.substr(0, end);
    sdp = end == std::string_view::npos ? std::string_view{} : sdp.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!audio.read(line)) break;
  }
  return audio.address();
}

ByteVector encode_media(const MediaPacket& packet, std::size_t payload_bytes) {
  ByteVector bytes(std::max(rtp_header_bytes + payload_bytes, media_packet_min), Byte{0xff});
  bytes[0] = rtp_version;
  bytes[1] = 0;  // PCMU
  store_big(bytes.data() + 2, static_cast<std::uint16_t>(packet.number));
  store_big(bytes.data() + 4, packet.number * samples_per_packet);
  store_big(bytes.data() + 8, static_cast<std::uint32_t>(packet.session));
  store_big(bytes.data() + 12, packet.session);
  store_big(bytes.data() + 20, packet.number);
  return bytes;
}

std::optional<MediaPacket> decode_media(Bytes bytes) {
  if (bytes.size() < media_packet_min || bytes[0] != rtp_version || bytes[1] != 0) return std::nullopt;
  return MediaPacket{.session = load_big<std::uint64_t>(bytes.data() + 12),
                     .number = load_big<std::uint32_t>(bytes.data() + 20)};
}

}  // namespace turnpike::client
