// Any message: parsing and reading stay inside of it, and what an edit leaves is a message again with its
// other rows as they were.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "sip/answers.hpp"
#include "sip/editor.hpp"
#include "sip/headers.hpp"
#include "sip/transaction_key.hpp"
#include "sip/writer.hpp"
#include "target.hpp"

namespace turnpike::sip {
namespace {

bool lies_within(std::string_view part, std::string_view whole) {
  return part.data() == nullptr ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_params(const Params& params, std::string_view text) {
  check(lies_within(params.text(), text), "parameters lie outside of their message");
  std::vector<Param> seen;
  params.for_each([&](const Param& param) {
    check(lies_within(param.whole, params.text()), "a parameter lies outside of its list");
    for (const Param& other : seen) check(!other.is_named(param.name), "a name stands twice");
    check(params.find(param.name)->whole == param.whole, "a parameter is not found");
    seen.push_back(param);
  });
}

void check_uri(const Uri& uri, std::string_view text) {
  check(lies_within(uri.text(), text) && lies_within(uri.host(), uri.text()),
        "a URI lies outside of its message");
  check_params(uri.params(), uri.text());
  check_params(uri.headers(), uri.text());
  check(uri.is_equivalent_to(uri), "a URI differs from itself");
}

// Each reader on each value: what they say is the input's affair, that they can be asked is ours.
void check_value(std::string_view value, std::string_view text) {
  if (const auto address = NameAddr::parse(value)) {
    check_uri(address->uri, text);
    check_params(address->params, text);
  }
  if (const auto via = Via::parse(value)) check_params(via->params, text);
  if (const auto found = Credentials::parse(value)) {
    check_params(found->params, text);
    static_cast<void>(found->bearer_token());
  }
  if (const auto found = ParameterizedValue::parse(value)) check_params(found->params, text);
  if (const auto found = MediaType::parse(value)) check_params(found->params, text);
  if (const auto found = CSeq::parse(value)) check(found->number <= INT32_MAX, "a CSeq is out of range");
  check(lies_within(RAck::parse(value).value_or(RAck{}).cseq.method_text, text), "a method lies outside");
}

void check_rows(const Message& message) {
  const std::string_view text = message.text();
  std::size_t end = message.start_line().size();
  for (std::size_t i = 0; i < message.header_count(); ++i) {
    const Header header = message.header(i);
    check(header.row.data() == text.data() + end, "rows do not follow one another");
    check(lies_within(header.value, header.row) && lies_within(header.name_text, header.row),
          "a row has gaps");
    end += header.row.size();
    check(message.find(header.name_text).has_value(), "a row is not found by its name");
    check_value(header.value, text);
    std::string_view list = header.value;
    while (const auto member = take_list_member(list)) check_value(*member, text);
  }
  check(end == message.headers_end(), "rows do not end where the headers end");
}

std::string rows_but(const Message& message, HeaderName name) {
  std::string rows;
  for (std::size_t i = 0; i < message.header_count(); ++i)
    if (message.header_name(i) != name) rows += message.header(i).row;
  return rows;
}

void check_editing(const Message& message) {
  const auto body = message.body();
  const std::size_t size = message.text().size() - (body ? message.after_headers().size() - body->size() : 0);
  check(Editor{message}.text() == message.text().substr(0, size),
        "an editor without edits changes a message");
  for (const HeaderName name :
       {HeaderName::via, HeaderName::route, HeaderName::contact, HeaderName::supported}) {
    Editor editor{message};
    editor.prepend(name, "a,b").append(name, "c").remove_first_value(name);
    const std::string text = editor.text();
    const auto again = Message::parse(text, {.message_bytes_max = message_bytes_bound});
    if (text.size() > message_bytes_bound || message.header_count() + 2 > headers_bound) continue;
    check(again.has_value(), "an edited message does not parse");
    check(rows_but(*again, name) == rows_but(message, name), "an edit changed other rows");
  }
}

void check_stripping(const Message& message) {
  const auto found = credentials(message, HeaderName::authorization);
  if (!found) return;
  found->params.for_each([&](const Param& param) {
    Editor editor{message};
    editor.remove_params(found->params, {param.name});
    const std::string text = editor.text();
    const auto again = Message::parse(text);
    check(again.has_value(), "a message without a parameter does not parse");
    const auto stripped = credentials(*again, HeaderName::authorization);
    check(!stripped || !stripped->params.has(param.name), "a parameter is not removed");
  });
}

void check_refusal(std::string_view text, const ParseError& error) {
  for (const auto answers_go : {AnswersGo::where_the_via_says, AnswersGo::over_the_connection}) {
    const auto refusal = make_refusal(text, error, "tag", answers_go);
    if (refusal) check(Message::parse(*refusal).has_value(), "a refusal does not parse");
  }
}

void check_answer(const Message& message, std::string_view text) {
  const auto defect = find_defect(message);
  static_cast<void>(make_server_key(message, message.method_text()));
  if (message.is_response()) return;
  check_refusal(text, defect.value_or(ParseError{Defect::malformed}));
  if (defect) return;
  const std::string response = make_response(message, 200, "tag").finish();
  const auto answer = Message::parse(response);
  check(answer.has_value() && !find_defect(*answer), "the answer to a good request is bad");
  check(make_client_key(message) == make_client_key(*answer), "an answer does not find its request");
}

}  // namespace
}  // namespace turnpike::sip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike::sip;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto message = Message::parse(text);
  if (!message) {
    check_refusal(text, message.error());
    return 0;
  }
  check_rows(*message);
  check_editing(*message);
  check_stripping(*message);
  check_answer(*message, text);
  return 0;
}
