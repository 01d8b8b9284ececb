#include "service/sip_framer.hpp"

#include <algorithm>
#include <charconv>

#include "sip/message.hpp"

namespace turnpike::service {
namespace {

constexpr std::string_view end_of_headers = "\r\n\r\n";

}  // namespace

void SipFramer::add(std::string_view bytes) {
  if (begin_ == bytes_.size()) {
    bytes_.clear();
  } else {
    bytes_.erase(0, begin_);
  }
  scanned_ -= std::min(scanned_, begin_);
  begin_ = 0;
  bytes_ += bytes;
}

void SipFramer::skip_line_ends() {
  while (std::string_view{bytes_}.substr(begin_).starts_with("\r\n")) {
    begin_ += 2;
    if (++line_ends_ % 2 == 0) ++pings_;
  }
  if (begin_ < bytes_.size() && bytes_[begin_] != '\r') line_ends_ = 0;
}

std::expected<std::size_t, FramingError> SipFramer::read_body_size(std::string_view head) const {
  const auto message = sip::Message::parse(head, {.message_bytes_max = message_bytes_max_});
  if (!message) return std::unexpected(FramingError::malformed);
  const auto length = message->find(sip::HeaderName::content_length);
  if (!length) return std::unexpected(FramingError::no_length);
  std::size_t size = 0;
  const std::string_view text = length->value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error == std::errc::result_out_of_range) return std::unexpected(FramingError::too_large);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::unexpected(FramingError::malformed);
  return size;
}

std::expected<std::optional<std::string_view>, FramingError> SipFramer::next() {
  if (!message_size_) {
    skip_line_ends();
    scanned_ = std::max(scanned_, begin_);
    const std::size_t end = bytes_.find(end_of_headers, scanned_);
    if (end == std::string::npos) {
      if (buffered() > message_bytes_max_) return std::unexpected(FramingError::too_large);
      // The end itself may be cut.
      scanned_ = std::max(begin_, bytes_.size() - std::min(bytes_.size(), end_of_headers.size() - 1));
      return std::nullopt;
    }
    const std::size_t head_size = end + end_of_headers.size() - begin_;
    if (head_size > message_bytes_max_) return std::unexpected(FramingError::too_large);
    const auto body_size = read_body_size(std::string_view{bytes_}.substr(begin_, head_size));
    if (!body_size) return std::unexpected(body_size.error());
    if (*body_size > message_bytes_max_ - head_size) return std::unexpected(FramingError::too_large);
    message_size_ = head_size + *body_size;
  }
  if (buffered() < *message_size_) return std::nullopt;
  const std::string_view message = std::string_view{bytes_}.substr(begin_, *message_size_);
  begin_ += *message_size_;
  scanned_ = begin_;
  message_size_.reset();
  return message;
}

}  // namespace turnpike::service
