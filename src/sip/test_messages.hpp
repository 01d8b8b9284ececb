#pragma once
// For tests: messages made on the spot, and random ones that follow the grammar.

#include <string>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "base/random.hpp"
#include "sip/message.hpp"

namespace turnpike::sip::test {

// A request with what RFC 3261 section 8.1.1 demands; rows are added behind it.
inline std::string request(std::string_view more_rows = {}, std::string_view method = "REGISTER",
                           std::string_view body = {}) {
  std::string text{method};
  text += " sip:ims.example SIP/2.0\r\n";
  text += "Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport\r\n";
  text += "Max-Forwards: 70\r\n";
  text += "From: \"Alice\" <sip:alice@ims.example>;tag=65bnmj\r\n";
  text += "To: <sip:alice@ims.example>\r\n";
  text += "Call-ID: aiuy7k9njasd\r\n";
  text += "CSeq: 1 " + std::string{method} + "\r\n";
  text += more_rows;
  text += "\r\n";
  text += body;
  return text;
}

inline std::string response(std::uint16_t status_code, std::string_view method = "REGISTER",
                            std::string_view more_rows = {}) {
  std::string text = "SIP/2.0 " + std::to_string(status_code) + " Reason\r\n";
  text += "Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport\r\n";
  text += "From: \"Alice\" <sip:alice@ims.example>;tag=65bnmj\r\n";
  text += "To: <sip:alice@ims.example>;tag=far\r\n";
  text += "Call-ID: aiuy7k9njasd\r\n";
  text += "CSeq: 1 " + std::string{method} + "\r\n";
  text += more_rows;
  text += "Content-Length: 0\r\n\r\n";
  return text;
}

// The text must outlive the message.
inline Message parsed(std::string_view text, const Limits& limits = {}) {
  auto message = Message::parse(text, limits);
  check(message.has_value(), "the test's message does not parse");
  return *message;
}

// A random message that follows the grammar, with folds, compact names, lists and quoted strings.
class MessageMaker {
 public:
  explicit MessageMaker(std::uint64_t seed) : random_(seed) {}

  std::string next();
  std::size_t below(std::size_t bound) { return random_.below(static_cast<std::uint32_t>(bound)); }
  // Once in so many times.
  bool once_in(std::size_t times) { return below(times) == 0; }
  template <typename T>
  const T& pick(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }
  std::string word(std::string_view alphabet, std::size_t size_max);
  std::string token() { return word("abcdefghijklmnopqrstuvwxyz0123456789-._", 12); }
  std::string quoted_text();
  std::string host();
  std::string uri();
  std::string params();
  std::string name_addr();
  std::string via();
  std::string white() { return pick<std::string>({"", "", " ", "  ", "\t"}); }

 private:
  std::string row(std::string_view name, std::string_view compact, const std::string& value);

  SeededRandom random_;
};

inline std::string MessageMaker::word(std::string_view alphabet, std::size_t size_max) {
  std::string text;
  const std::size_t size = 1 + below(size_max);
  for (std::size_t i = 0; i < size; ++i) text += alphabet[below(alphabet.size())];
  return text;
}

inline std::string MessageMaker::quoted_text() {
  return '"' + word("abc def;,<>@=:?&%()[]{}", 14) + (once_in(4) ? "\\\"" : "") + (once_in(4) ? "\\\\" : "") +
         '"';
}

inline std::string MessageMaker::host() {
  switch (below(4)) {
    case 0:
      return "192.0.2." + std::to_string(below(255));
    case 1:
      return "[2001:db8::" + std::to_string(1 + below(9000)) + "]";
    default:
      return word("abcdefghijklm", 8) + ".example";
  }
}

inline std::string MessageMaker::uri() {
  std::string text = once_in(5) ? "sips:" : "sip:";
  if (!once_in(4))
    text += pick<std::string>({"", "%41", "&=+$,;?/", "-_.!~*'()"}) + word("abcdefghijk019_.", 9) + '@';
  text += host();
  if (once_in(3)) text += ':' + std::to_string(1 + below(65535));
  if (once_in(3)) text += ";transport=" + pick<std::string>({"ws", "udp", "tcp"});
  if (once_in(3)) text += ";lr";
  return text;
}

inline std::string MessageMaker::params() {
  std::string text;
  const std::size_t count = below(4);
  for (std::size_t i = 0; i < count; ++i) {
    text += white() + ';' + white() + 'p' + std::to_string(i);
    if (once_in(3)) continue;
    text += '=' + (once_in(3) ? quoted_text() : token());
  }
  return text;
}

inline std::string MessageMaker::name_addr() {
  const std::string display = pick<std::string>({"", "Alice ", "A. B-C ", quoted_text() + ' '});
  return display + '<' + uri() + '>' + params();
}

inline std::string MessageMaker::via() {
  std::string text = "SIP/2.0/" + pick<std::string>({"UDP", "TCP", "WSS", "WS"}) + ' ' + host();
  if (once_in(2)) text += ':' + std::to_string(1 + below(65535));
  text += ";branch=z9hG4bK" + token();
  if (once_in(2)) text += ";rport";
  return text;
}

inline std::string MessageMaker::row(std::string_view name, std::string_view compact,
                                     const std::string& value) {
  std::string text{compact.empty() || !once_in(4) ? name : compact};
  text += white() + ':' + pick<std::string>({" ", "", "  ", "\r\n "}) + value + white();
  return text + "\r\n";
}

inline std::string MessageMaker::next() {
  const std::string method = pick<std::string>({"REGISTER", "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE"});
  const bool is_request = !once_in(3);
  std::string text = is_request ? method + ' ' + uri() + " SIP/2.0\r\n" : "SIP/2.0 200 All is well\r\n";
  text += row("Via", "v", via());
  if (once_in(2)) text += row("Via", "v", via() + ',' + white() + via());
  text += row("Max-Forwards", "", std::to_string(below(256)));
  text += row("From", "f", name_addr() + ";tag=" + token());
  text += row("To", "t", name_addr());
  text += row("Call-ID", "i", token() + '@' + host());
  text += row("CSeq", "", std::to_string(below(100000)) + ' ' + method);
  if (once_in(2)) text += row("Contact", "m", name_addr() + (once_in(2) ? ",\r\n " + name_addr() : ""));
  if (once_in(2)) text += row("Route", "", '<' + uri() + ">," + '<' + uri() + '>');
  if (once_in(2)) text += row("Supported", "k", "path, outbound ,gruu");
  if (once_in(2)) text += row("X-" + token(), "", token());
  if (once_in(3)) text += row("Expires", "", std::to_string(below(100000)));
  const std::string body = once_in(3) ? word("v=0\r\nabc ", 60) : "";
  if (!body.empty()) text += row("Content-Type", "c", "application/sdp");
  text += row("Content-Length", "l", std::to_string(body.size()));
  return text + "\r\n" + body;
}

}  // namespace turnpike::sip::test
