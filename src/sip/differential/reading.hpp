#pragma once
// What is compared: the parts of a message as a list of lines, so that a difference shows which line it is.

#include <string>
#include <string_view>
#include <vector>

#include "sip/headers.hpp"

namespace turnpike::sip::test {

using Reading = std::vector<std::string>;

inline std::string text_of(const char* text) { return text == nullptr ? "" : text; }

inline std::string line(std::string_view name, std::string_view value) {
  return std::string{name} + '=' + std::string{value};
}

inline std::string_view without_brackets(std::string_view host) {
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

inline void read_uri(Reading& reading, std::string_view of, const Uri& uri) {
  const std::string name{of};
  reading.push_back(line(name + " scheme", uri.scheme() == Scheme::sips ? "sips" : "sip"));
  reading.push_back(line(name + " user", unescaped(uri.user())));
  reading.push_back(line(name + " host", without_brackets(uri.host())));
  reading.push_back(line(name + " port", uri.port() ? std::to_string(*uri.port()) : ""));
  reading.push_back(line(name + " transport", uri.params().value("transport").value_or("")));
}

inline void read_address(Reading& reading, std::string_view of, const NameAddr& address) {
  read_uri(reading, of, address.uri);
  reading.push_back(line(std::string{of} + " tag", address.tag().value_or("")));
  reading.push_back(line(std::string{of} + " display", address.display));
}

inline void read_addresses(Reading& reading, const Message& message, std::string_view of, HeaderName name) {
  NameAddrCursor addresses{message, name};
  while (const auto address = addresses.next()) read_address(reading, of, **address);
}

inline Reading read_by_us(const Message& message) {
  Reading reading;
  if (message.is_request()) {
    reading.push_back(line("method", message.method_text()));
    read_uri(reading, "target", *request_uri(message));
  } else {
    reading.push_back(line("status", std::to_string(message.status_code())));
    reading.push_back(line("reason", message.reason()));
  }
  read_address(reading, "from", *from(message));
  read_address(reading, "to", *to(message));
  reading.push_back(
      line("cseq", std::to_string(cseq(message)->number) + ' ' + std::string{cseq(message)->method_text}));
  reading.push_back(line("call-id", *call_id(message)));
  ValueCursor vias{message, HeaderName::via};
  while (const auto value = vias.next()) {
    const auto via = Via::parse(*value);
    reading.push_back(line("via", std::string{via->transport} + ' ' +
                                      std::string{without_brackets(via->host)} + ' ' +
                                      (via->port ? std::to_string(*via->port) : "") + ' ' +
                                      std::string{via->branch().value_or("")}));
  }
  read_addresses(reading, message, "contact", HeaderName::contact);
  read_addresses(reading, message, "route", HeaderName::route);
  const auto length = message.find(HeaderName::content_length);
  reading.push_back(line("content-length", length ? length->value : ""));
  return reading;
}

}  // namespace turnpike::sip::test
