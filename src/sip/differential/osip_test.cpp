// libosip2 as the other reader: on thousands of generated messages, plain, edited and written by us, both
// must read the same.

#include <gtest/gtest.h>
#include <osipparser2/osip_message.h>
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>

#include <memory>
#include <string>

#include "sip/differential/reading.hpp"

namespace turnpike::sip {
namespace {

using test::line;
using test::Reading;
using test::text_of;

struct Freeing {
  void operator()(osip_message_t* message) const { osip_message_free(message); }
};
using OsipMessage = std::unique_ptr<osip_message_t, Freeing>;

OsipMessage parse_by_osip(const std::string& text) {
  [[maybe_unused]] static const bool is_ready = [] {
    osip_trace_initialize_func(TRACE_LEVEL0,
                               [](const char*, int, osip_trace_level_t, const char*, va_list) {});
    return parser_init() == 0;
  }();
  osip_message_t* message = nullptr;
  osip_message_init(&message);
  OsipMessage owned{message};
  if (osip_message_parse(message, text.data(), text.size()) != 0) owned.reset();
  return owned;
}

// Escapes are decoded by osip, brackets of IPv6 addresses are left out.
void read_uri(Reading& reading, std::string_view of, osip_uri_t* uri) {
  reading.push_back(line(std::string{of} + " scheme", text_of(uri->scheme)));
  reading.push_back(line(std::string{of} + " user", text_of(uri->username)));
  reading.push_back(line(std::string{of} + " host", text_of(uri->host)));
  reading.push_back(line(std::string{of} + " port", text_of(uri->port)));
  osip_uri_param_t* transport = nullptr;
  osip_uri_param_get_byname(&uri->url_params, const_cast<char*>("transport"), &transport);
  reading.push_back(
      line(std::string{of} + " transport", transport != nullptr ? text_of(transport->gvalue) : ""));
}

void read_address(Reading& reading, std::string_view of, osip_from_t* address) {
  read_uri(reading, of, address->url);
  osip_generic_param_t* tag = nullptr;
  osip_generic_param_get_byname(&address->gen_params, const_cast<char*>("tag"), &tag);
  reading.push_back(line(std::string{of} + " tag", tag != nullptr ? text_of(tag->gvalue) : ""));
  reading.push_back(line(std::string{of} + " display", trimmed(text_of(address->displayname))));
}

Reading read_by_osip(osip_message_t& message) {
  Reading reading;
  if (MSG_IS_REQUEST(&message)) {
    reading.push_back(line("method", text_of(message.sip_method)));
    read_uri(reading, "target", message.req_uri);
  } else {
    reading.push_back(line("status", std::to_string(message.status_code)));
    reading.push_back(line("reason", text_of(message.reason_phrase)));
  }
  read_address(reading, "from", message.from);
  read_address(reading, "to", message.to);
  reading.push_back(line("cseq", text_of(message.cseq->number) + ' ' + text_of(message.cseq->method)));
  const std::string host = text_of(message.call_id->host);
  reading.push_back(line("call-id", text_of(message.call_id->number) + (host.empty() ? "" : '@' + host)));
  for (int i = 0; i < osip_list_size(&message.vias); ++i) {
    auto* via = static_cast<osip_via_t*>(osip_list_get(&message.vias, i));
    osip_generic_param_t* branch = nullptr;
    osip_via_param_get_byname(via, const_cast<char*>("branch"), &branch);
    reading.push_back(line("via", text_of(via->protocol) + ' ' + text_of(via->host) + ' ' +
                                      text_of(via->port) + ' ' +
                                      (branch != nullptr ? text_of(branch->gvalue) : "")));
  }
  for (int i = 0; i < osip_list_size(&message.contacts); ++i)
    read_address(reading, "contact", static_cast<osip_contact_t*>(osip_list_get(&message.contacts, i)));
  for (int i = 0; i < osip_list_size(&message.routes); ++i)
    read_address(reading, "route", static_cast<osip_route_t*>(osip_list_get(&message.routes, i)));
  reading.push_back(
      line("content-length", message.content_length ? text_of(message.content_length->value) : ""));
  return reading;
}

std::optional<Reading> read(const std::string& text) {
  const auto message = parse_by_osip(text);
  return message ? std::optional{read_by_osip(*message)} : std::nullopt;
}

TEST(Osip, ReadsWhatWeRead) { test::compare_messages(11, read); }

TEST(Osip, ReadsWhatWeEdited) { test::compare_edited_messages(12, read); }

TEST(Osip, RefusesWhatWeRefuse) {
  for (const auto* row : {"Contact: \"Joe <sip:joe@example.org>\r\n", "CSeq\r\n"})
    test::compare_refusal(row, read);
}

}  // namespace
}  // namespace turnpike::sip
