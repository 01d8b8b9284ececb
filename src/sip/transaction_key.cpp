#include "sip/transaction_key.hpp"

#include <algorithm>

#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::sip {

namespace {

constexpr std::size_t key_size_hint = 96;

void append_lower(std::string& to, std::string_view text) {
  const std::size_t begin = to.size();
  to += text;
  std::transform(to.begin() + static_cast<std::ptrdiff_t>(begin), to.end(),
                 to.begin() + static_cast<std::ptrdiff_t>(begin), lower);
}

}  // namespace

// A branch is compared ignoring case, as tokens are (RFC 3261 section 7.3.1), a method is not.
std::string make_client_key(std::string_view branch, std::string_view method) {
  std::string key;
  key.reserve(key_size_hint);
  append_lower(key, branch);
  key += '\n';
  key += method;
  return key;
}

std::optional<std::string> make_client_key(const Message& message) {
  const auto via = top_via(message);
  const auto number = cseq(message);
  if (!via || !number || !via->has_rfc3261_branch()) return std::nullopt;
  return make_client_key(*via->branch(), number->method_text);
}

std::string make_server_key(const Message& request, std::string_view method) {
  const auto via = top_via(request);
  std::string key;
  key.reserve(key_size_hint);
  if (via && via->has_rfc3261_branch()) {
    append_lower(key, *via->branch());
    key += '\n';
    append_lower(key, via->host);
    key += ':';
    key += std::to_string(via->port.value_or(0));
  } else {
    const auto caller = from(request);
    const auto number = cseq(request);
    key += request.request_uri_text();
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
