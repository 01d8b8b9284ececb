#include "sip/transaction_key.hpp"

#include "sip/headers.hpp"

namespace turnpike::sip {

// A branch is compared ignoring case, as tokens are (RFC 3261 section 7.3.1), a method is not.
std::optional<std::string> make_client_key(const Message& message) {
  const auto via = top_via(message);
  const auto number = cseq(message);
  if (!via || !number || !via->has_rfc3261_branch()) return std::nullopt;
  std::string key = to_lower(*via->branch());
  key += '\n';
  key += number->method_text;
  return key;
}

std::string make_server_key(const Message& request, std::string_view method) {
  const auto via = top_via(request);
  std::string key;
  if (via && via->has_rfc3261_branch()) {
    key = to_lower(*via->branch());
    key += '\n';
    key += to_lower(via->host);
    key += ':';
    key += std::to_string(via->port.value_or(0));
  } else {
    const auto caller = from(request);
    const auto number = cseq(request);
    key = request.request_uri_text();
    key += '\n';
    key += caller ? caller->tag().value_or("") : std::string_view{};
    key += '\n';
    key += call_id(request).value_or("");
    key += '\n';
    key += std::to_string(number ? number->number : 0);
    key += '\n';
    key += via ? via->text : std::string_view{};
  }
  key += '\n';
  key += method;
  return key;
}

}  // namespace turnpike::sip
