#pragma once
// What is compared: the parts of a message as a list of lines, so that a difference shows which line it is.

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sip/editor.hpp"
#include "sip/headers.hpp"
#include "sip/test_messages.hpp"

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

// Another's reading; nothing where it refuses the message.
using Reader = std::function<std::optional<Reading>(const std::string& text)>;

inline void expect_same_reading(const std::string& text, const Reader& read_by_other) {
  const auto theirs = read_by_other(text);
  ASSERT_TRUE(theirs) << text;
  const auto ours = Message::parse(text);
  ASSERT_TRUE(ours) << text;
  ASSERT_EQ(read_by_us(*ours), *theirs) << text;
}

inline void compare_messages(std::uint64_t seed, const Reader& read_by_other) {
  MessageMaker maker{seed};
  for (int i = 0; i < 2000; ++i)
    ASSERT_NO_FATAL_FAILURE(expect_same_reading(maker.next(), read_by_other)) << i;
}

inline void compare_edited_messages(std::uint64_t seed, const Reader& read_by_other) {
  MessageMaker maker{seed};
  for (int i = 0; i < 1000; ++i) {
    const std::string text = maker.next();
    const Message message = parsed(text);
    Editor editor{message};
    editor.push_via("SIP/2.0/TCP edge.example:5060;branch=z9hG4bKnew")
        .push_record_route("<sip:edge.example;lr>");
    editor.stamp_via(*top_via(message), *SocketAddress::parse("192.0.2.7:1234")).pop_route();
    if (maker.once_in(2)) editor.append(HeaderName::contact, "<sip:more@edge.example>;q=0.1");
    if (maker.once_in(2)) editor.set_body("text/plain", "another body");
    ASSERT_NO_FATAL_FAILURE(expect_same_reading(editor.text(), read_by_other)) << i;
  }
}

// Both must refuse it.
inline void compare_refusal(const std::string& row, const Reader& read_by_other) {
  const std::string text = request(row);
  const auto message = Message::parse(text);
  EXPECT_TRUE(!message || find_defect(*message)) << row;
  EXPECT_FALSE(read_by_other(text)) << row;
}

}  // namespace turnpike::sip::test
