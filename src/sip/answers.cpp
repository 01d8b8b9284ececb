#include "sip/answers.hpp"

#include "sip/headers.hpp"
#include "sip/values.hpp"

namespace turnpike::sip {
namespace {

constexpr std::string_view max_forwards_default = "70";

void add_to(Writer& writer, const Message& request, std::string_view to_tag) {
  const auto header = request.find(HeaderName::to);
  if (!header) return;
  const auto address = to(request);
  std::string value{header->value};
  if (address && !address->tag() && !to_tag.empty()) {
    value += ";tag=";
    value += to_tag;
  }
  writer.add(HeaderName::to, value);
}

void add_rows(Writer& writer, const Message& from, HeaderName name) {
  for (auto row = from.find_row(name); row; row = from.find_row(name, *row + 1))
    writer.add(name, from.header(*row).value);
}

// RFC 3261 sections 9.1 and 17.1.1.3: one Via, which is the INVITE's; its Request-URI, Route, From, Call-ID
// and number.
std::optional<std::string> make_follower(const Message& invite, Method method, std::string_view to_value) {
  const auto via = top_via(invite);
  const auto number = cseq(invite);
  const auto from_header = invite.find(HeaderName::from);
  const auto id = invite.find(HeaderName::call_id);
  if (!via || !number || !from_header || !id) return std::nullopt;
  Writer writer = Writer::request(method, invite.request_uri_text());
  writer.add(HeaderName::via, via->text)
      .copy(invite, HeaderName::route)
      .add(HeaderName::max_forwards, max_forwards_default)
      .add(HeaderName::from, from_header->value)
      .add(HeaderName::to, to_value)
      .add(HeaderName::call_id, id->value)
      .add(HeaderName::cseq, std::to_string(number->number) + ' ' + std::string{to_string(method)});
  return writer.finish();
}

}  // namespace

Writer make_response(const Message& request, std::uint16_t status_code, std::string_view to_tag,
                     std::string_view reason) {
  Writer writer = Writer::response(status_code, reason);
  writer.copy(request, HeaderName::via).copy(request, HeaderName::from);
  add_to(writer, request, status_code == 100 ? std::string_view{} : to_tag);
  writer.copy(request, HeaderName::call_id).copy(request, HeaderName::cseq);
  if (status_code == 100) writer.copy(request, HeaderName::timestamp);
  return writer;
}

std::optional<std::string> make_ack(const Message& invite, const Message& response) {
  const auto to_header = response.find(HeaderName::to);
  return to_header ? make_follower(invite, Method::ack, to_header->value) : std::nullopt;
}

std::optional<std::string> make_cancel(const Message& invite) {
  const auto to_header = invite.find(HeaderName::to);
  return to_header ? make_follower(invite, Method::cancel, to_header->value) : std::nullopt;
}

std::optional<std::string> make_refusal(std::string_view text, const ParseError& error,
                                        std::string_view to_tag, AnswersGo answers_go, const Limits& limits) {
  const auto request = Message::salvage(text, limits);
  if (!request || request->method() == Method::ack || !request->has(HeaderName::via)) return std::nullopt;
  if (answers_go == AnswersGo::where_the_via_says && !top_via(*request)) return std::nullopt;
  // Not byte for byte, as what was refused may be characters that no header holds.
  Writer writer = Writer::response(error.status_code(), error.reason_phrase());
  add_rows(writer, *request, HeaderName::via);
  add_rows(writer, *request, HeaderName::from);
  add_to(writer, *request, to_tag);
  add_rows(writer, *request, HeaderName::call_id);
  add_rows(writer, *request, HeaderName::cseq);
  return writer.finish();
}

}  // namespace turnpike::sip
