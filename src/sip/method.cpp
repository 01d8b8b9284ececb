#include "sip/method.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace turnpike::sip {
namespace {

constexpr std::array<std::string_view, 15> names{// in the order of Method
                                                 "",        "ACK",     "BYE",      "CANCEL",    "INFO",
                                                 "INVITE",  "MESSAGE", "NOTIFY",   "OPTIONS",   "PRACK",
                                                 "PUBLISH", "REFER",   "REGISTER", "SUBSCRIBE", "UPDATE"};

}  // namespace

Method find_method(std::string_view text) {
  const auto at = std::find(names.begin() + 1, names.end(), text);
  return at == names.end() ? Method::other : static_cast<Method>(at - names.begin());
}

std::string_view to_string(Method method) { return names[static_cast<std::size_t>(method)]; }

}  // namespace turnpike::sip
