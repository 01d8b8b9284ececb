#pragma once
// Methods, RFC 3261 section 7.1 and its extensions. A method is a token and its case matters.

#include <cstdint>
#include <string_view>

namespace turnpike::sip {

enum class Method : std::uint8_t {
  other,  // any other token
  ack,
  bye,
  cancel,
  info,
  invite,
  message,
  notify,
  options,
  prack,
  publish,
  refer,
  registration,  // REGISTER, as "register" is a word of C++
  subscribe,
  update,
};

Method find_method(std::string_view text);
std::string_view to_string(Method method);  // empty for `other`

}  // namespace turnpike::sip
