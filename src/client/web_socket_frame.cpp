#include "client/web_socket_frame.hpp"

#include "base/bytes.hpp"
#include "sip/text.hpp"

namespace turnpike::client {
namespace {

constexpr unsigned char final_bit = 0x80;
constexpr unsigned char mask_bit = 0x80;
constexpr std::size_t frame_bytes_max = 1 << 20;

unsigned char opcode_of(FrameKind kind) {
  switch (kind) {
    case FrameKind::message:
      return 1;
    case FrameKind::close:
      return 8;
    case FrameKind::ping:
      return 9;
    case FrameKind::pong:
      return 10;
  }
  return 8;
}

std::optional<FrameKind> kind_of(unsigned char opcode) {
  switch (opcode) {
    case 1:
    case 2:
      return FrameKind::message;
    case 8:
      return FrameKind::close;
    case 9:
      return FrameKind::ping;
    case 10:
      return FrameKind::pong;
    default:
      return std::nullopt;  // a fragment, which no server of SIP needs
  }
}

}  // namespace

void append_frame(std::string& to, FrameKind kind, std::string_view payload) {
  to += static_cast<char>(final_bit | opcode_of(kind));
  if (payload.size() < 126) {
    to += static_cast<char>(mask_bit | payload.size());
  } else if (payload.size() < 65536) {
    to += static_cast<char>(mask_bit | 126);
    to += static_cast<char>(payload.size() >> 8);
    to += static_cast<char>(payload.size() & 0xff);
  } else {
    to += static_cast<char>(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8)
      to += static_cast<char>((static_cast<std::uint64_t>(payload.size()) >> shift) & 0xff);
  }
  to.append(4, '\0');
  to += payload;
}

void FrameReader::append(std::string_view bytes) {
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  } else if (begin_ > buffer_.size() / 2) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  buffer_ += bytes;
}

std::expected<std::optional<Frame>, bool> FrameReader::next() {
  const std::string_view bytes = std::string_view{buffer_}.substr(begin_);
  if (bytes.size() < 2) return std::nullopt;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  const auto kind = kind_of(first & 0x0f);
  // RFC 6455 section 5.1: a server masks nothing.
  if ((first & 0xf0) != final_bit || (second & mask_bit) != 0 || !kind) return std::unexpected(false);
  std::size_t size = second;
  std::size_t head = 2;
  if (second == 126) head = 4;
  if (second == 127) head = 10;
  if (bytes.size() < head) return std::nullopt;
  const Bytes raw = as_bytes(bytes);
  if (second == 126) size = load_big<std::uint16_t>(raw.data() + 2);
  if (second == 127) size = static_cast<std::size_t>(load_big<std::uint64_t>(raw.data() + 2));
  if (size > frame_bytes_max) return std::unexpected(false);
  if (bytes.size() - head < size) return std::nullopt;
  begin_ += head + size;
  return Frame{*kind, bytes.substr(head, size)};
}

std::string make_upgrade(std::string_view host, std::string_view path) {
  std::string text = "GET ";
  text.append(path).append(" HTTP/1.1\r\nHost: ").append(host);
  text +=
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dHVybnBpa2UgYmVuY2ggIQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
  return text;
}

std::optional<UpgradeAnswer> parse_upgrade_answer(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  UpgradeAnswer answer{.size = end + 4};
  if (bytes.starts_with("HTTP/1.1 ") && bytes.size() > 12)
    answer.status = static_cast<int>(sip::parse_number(bytes.substr(9, 3), 999).value_or(0));
  return answer;
}

}  // namespace turnpike::client
