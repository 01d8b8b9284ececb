#pragma once
// SIP messages: RFC 3261 section 7, one per datagram or WebSocket message (RFC 7118).
// Message is a view: parsing finds the start line and the rows of headers, allocates nothing, and leaves what
// is in them to those who ask (headers.hpp). The text must outlive it.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/function_ref.hpp"
#include "sip/error.hpp"
#include "sip/header_name.hpp"
#include "sip/limits.hpp"
#include "sip/method.hpp"

namespace turnpike::sip {

// One row of a header as it was received.
struct Header {
  HeaderName name = HeaderName::other;
  std::string_view name_text;  // in the sender's spelling
  std::string_view value;      // trimmed; may hold folds and be empty
  std::string_view row;        // the whole row with its line end

  [[nodiscard]] bool is_named(std::string_view text) const;
};

// CRLF CRLF or CRLF between messages, RFC 5626 section 3.5.1; no message.
bool is_keep_alive(std::string_view text);

// Whether what was made from a message, and has grown, is within the limits of those who read it. What is not
// would end a TCP connection, and with it what others have on it.
bool is_sendable(std::string_view text);

class Message {
  // Only parse() and salvage() make messages; they fill one in its place, for it is too large to move around.
  struct Blank {
    explicit Blank() = default;
  };

 public:
  explicit Message(Blank) {}
  // The text must be exactly one message; leading line ends are ignored. What is refused here has no request
  // to answer at hand: see salvage().
  [[nodiscard]] static Parsed<Message> parse(std::string_view text, const Limits& limits = {});
  // What can be read of a request that was refused, for its answer alone. Nothing when it may be a response.
  [[nodiscard]] static std::optional<Message> salvage(std::string_view text, const Limits& limits = {});

  [[nodiscard]] bool is_request() const { return status_code_ == 0; }
  [[nodiscard]] bool is_response() const { return status_code_ != 0; }
  // Of requests.
  [[nodiscard]] Method method() const { return method_; }
  [[nodiscard]] std::string_view method_text() const { return method_text_; }
  [[nodiscard]] std::string_view request_uri_text() const { return target_; }
  // Of responses, 100..699.
  [[nodiscard]] std::uint16_t status_code() const { return status_code_; }
  [[nodiscard]] std::string_view reason() const { return target_; }

  [[nodiscard]] std::size_t header_count() const { return count_; }
  [[nodiscard]] Header header(std::size_t index) const;
  [[nodiscard]] HeaderName header_name(std::size_t index) const { return entries_[index].name; }
  // The first row at or behind `from`.
  [[nodiscard]] std::optional<std::size_t> find_row(HeaderName name, std::size_t from = 0) const;
  [[nodiscard]] std::optional<Header> find(HeaderName name) const;
  [[nodiscard]] std::optional<Header> find(std::string_view name) const;  // of any header
  [[nodiscard]] bool has(HeaderName name) const { return find_row(name).has_value(); }
  [[nodiscard]] std::size_t count(HeaderName name) const;

  // RFC 3261 section 18.3: as long as Content-Length says, and what lies behind it is not part of the
  // message; without the header all that follows the headers.
  [[nodiscard]] Parsed<std::string_view> body() const;
  [[nodiscard]] std::string_view after_headers() const { return text_.substr(body_begin_); }

  [[nodiscard]] std::string_view text() const { return text_; }  // without leading line ends
  [[nodiscard]] std::string_view start_line() const { return text_.substr(0, start_line_size_); }
  // Header rows end here, before the empty line.
  [[nodiscard]] std::size_t headers_end() const { return headers_end_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  struct Entry {
    std::uint16_t row_begin;
    std::uint16_t row_end;
    std::uint16_t value_begin;
    std::uint16_t value_end;
    std::uint8_t name_size;  // longer names are refused as a header without colon
    HeaderName name;
  };
  std::optional<Defect> read(std::string_view text, const Limits& limits);
  std::optional<Defect> read_start_line(std::string_view line);
  std::optional<Defect> read_status_line(std::string_view line);
  std::optional<Defect> read_request_line(std::string_view line);
  std::optional<Defect> read_rows();
  std::optional<Defect> add_row(std::size_t begin, std::size_t end);
  std::optional<Defect> extend_row(std::size_t begin, std::size_t end);
  [[nodiscard]] std::string_view slice(std::size_t begin, std::size_t end) const {
    return {text_.data() + begin, end - begin};
  }

  std::string_view text_;
  std::string_view method_text_;
  std::string_view target_;
  Limits limits_;
  std::size_t start_line_size_ = 0;
  std::size_t headers_end_ = 0;
  std::size_t body_begin_ = 0;
  std::uint16_t status_code_ = 0;
  Method method_ = Method::other;
  std::uint8_t count_ = 0;
  std::array<Entry, headers_bound> entries_;
};

}  // namespace turnpike::sip
