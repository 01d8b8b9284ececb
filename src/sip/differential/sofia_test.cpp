// sofia-sip as another reader: on thousands of generated messages, plain and edited by us, both must read the
// same.

#include <gtest/gtest.h>
#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/url.h>

#include <memory>
#include <string>

#include "sip/differential/reading.hpp"

namespace turnpike::sip {
namespace {

using test::line;
using test::Reading;
using test::text_of;

struct Freeing {
  void operator()(msg_t* message) const { msg_destroy(message); }
};

class SofiaMessage {
 public:
  explicit SofiaMessage(const std::string& text)
      : message_(msg_make(sip_default_mclass(), 0, text.data(), static_cast<ssize_t>(text.size()))) {}
  // Null where sofia makes nothing of it, or has found a header in error.
  [[nodiscard]] const sip_t* sip() const {
    const sip_t* sip = message_ ? sip_object(message_.get()) : nullptr;
    if (sip == nullptr || sip->sip_error != nullptr) return nullptr;
    return sip->sip_request != nullptr || sip->sip_status != nullptr ? sip : nullptr;
  }

 private:
  std::unique_ptr<msg_t, Freeing> message_;
};

std::string host_of(const char* host) { return std::string{test::without_brackets(text_of(host))}; }

void read_uri(Reading& reading, const std::string& of, const url_t& uri) {
  reading.push_back(line(of + " scheme", text_of(uri.url_scheme)));
  reading.push_back(line(of + " user", unescaped(text_of(uri.url_user))));
  reading.push_back(line(of + " host", host_of(uri.url_host)));
  reading.push_back(line(of + " port", text_of(uri.url_port)));
  char transport[16] = "";
  url_param(uri.url_params, "transport", transport, sizeof transport);
  reading.push_back(line(of + " transport", transport));
}

void read_address(Reading& reading, const std::string& of, const url_t& uri, const char* tag,
                  const char* display) {
  read_uri(reading, of, uri);
  reading.push_back(line(of + " tag", text_of(tag)));
  reading.push_back(line(of + " display", trimmed(text_of(display))));
}

Reading read_by_sofia(const sip_t& sip) {
  Reading reading;
  if (sip.sip_request != nullptr) {
    reading.push_back(line("method", text_of(sip.sip_request->rq_method_name)));
    read_uri(reading, "target", *sip.sip_request->rq_url);
  } else {
    reading.push_back(line("status", std::to_string(sip.sip_status->st_status)));
    reading.push_back(line("reason", text_of(sip.sip_status->st_phrase)));
  }
  read_address(reading, "from", *sip.sip_from->a_url, sip.sip_from->a_tag, sip.sip_from->a_display);
  read_address(reading, "to", *sip.sip_to->a_url, sip.sip_to->a_tag, sip.sip_to->a_display);
  reading.push_back(
      line("cseq", std::to_string(sip.sip_cseq->cs_seq) + ' ' + text_of(sip.sip_cseq->cs_method_name)));
  reading.push_back(line("call-id", text_of(sip.sip_call_id->i_id)));
  for (const sip_via_t* via = sip.sip_via; via != nullptr; via = via->v_next)
    reading.push_back(line("via", text_of(via->v_protocol).substr(8) + ' ' + host_of(via->v_host) + ' ' +
                                      text_of(via->v_port) + ' ' + text_of(via->v_branch)));
  for (const sip_contact_t* contact = sip.sip_contact; contact != nullptr; contact = contact->m_next)
    read_address(reading, "contact", *contact->m_url, msg_header_find_param(contact->m_common, "tag="),
                 contact->m_display);
  for (const sip_route_t* route = sip.sip_route; route != nullptr; route = route->r_next)
    read_address(reading, "route", *route->r_url, nullptr, route->r_display);
  reading.push_back(line("content-length", sip.sip_content_length != nullptr
                                               ? std::to_string(sip.sip_content_length->l_length)
                                               : ""));
  return reading;
}

std::optional<Reading> read(const std::string& text) {
  const SofiaMessage message{text};
  return message.sip() != nullptr ? std::optional{read_by_sofia(*message.sip())} : std::nullopt;
}

TEST(Sofia, ReadsWhatWeRead) { test::compare_messages(21, read); }

TEST(Sofia, ReadsWhatWeEdited) { test::compare_edited_messages(22, read); }

TEST(Sofia, RefusesWhatWeRefuse) {
  for (const auto* row : {"Contact: \"Joe <sip:joe@example.org>\r\n", "Content-Length: many\r\n",
                          "Max-Forwards: -1\r\n", "Contact: <sip:joe@example.org\r\n"})
    test::compare_refusal(row, read);
}

}  // namespace
}  // namespace turnpike::sip
