#pragma once
// Uri is a URI as SIP uses it, a view: sip and sips (RFC 3261 section 19.1), tel (RFC 3966), and others, of
// which only the scheme is understood.
//
//   sip:alice:secret@ims.example:5060;transport=ws?subject=x
//       user  password host      port params       headers

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sip/limits.hpp"
#include "sip/params.hpp"

namespace turnpike::sip {

enum class Scheme : std::uint8_t { sip, sips, tel, other };

class Uri {
 public:
  static std::optional<Uri> parse(std::string_view text, const Limits& limits = {});

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] Scheme scheme() const { return scheme_; }
  [[nodiscard]] bool is_sip() const { return scheme_ == Scheme::sip || scheme_ == Scheme::sips; }
  [[nodiscard]] std::string_view user() const { return user_; }  // with its escapes; of tel: the number
  [[nodiscard]] bool has_user() const { return !user_.empty(); }
  [[nodiscard]] std::optional<std::string_view> password() const { return password_; }
  [[nodiscard]] std::string_view host() const { return host_; }  // an IPv6 address with its brackets
  [[nodiscard]] std::optional<std::uint16_t> port() const { return port_; }
  [[nodiscard]] const Params& params() const { return params_; }
  [[nodiscard]] const Params& headers() const { return headers_; }
  [[nodiscard]] bool is_loose_router() const { return params_.has("lr"); }

  // RFC 3261 section 19.1.4, for tel RFC 3966 section 4; others are the same when their text is.
  [[nodiscard]] bool is_equivalent_to(const Uri& other) const;

 private:
  bool read_sip(Scanner& scanner, const Limits& limits);
  bool read_tel(Scanner& scanner, const Limits& limits);
  bool read_user(Scanner& scanner);

  std::string_view text_;
  Scheme scheme_ = Scheme::other;
  std::string_view user_;
  std::optional<std::string_view> password_;
  std::string_view host_;
  std::optional<std::uint16_t> port_;
  Params params_;
  Params headers_;
};

// host [":" port], without white space; leaves the scanner where it stood when there is none.
struct HostPort {
  std::string_view host;
  std::optional<std::uint16_t> port;
};
std::optional<std::string_view> take_host(Scanner& scanner);
std::optional<std::uint16_t> take_port(Scanner& scanner);  // 1..65535

// Any text as the user of a URI: what a user cannot hold is escaped.
std::string escaped_user(std::string_view text);
// "%41" becomes "A".
std::string unescaped(std::string_view text);

}  // namespace turnpike::sip
