#include "ims/identity.hpp"

#include <algorithm>

#include "sip/text.hpp"

namespace turnpike::ims {
namespace {

std::string plain_number(std::string_view number) {
  constexpr std::string_view separators = "-.()";
  std::string digits = "tel:" + sip::to_lower(number);
  std::erase_if(digits, [&](char c) { return separators.find(c) != std::string_view::npos; });
  return digits;
}

}  // namespace

std::optional<std::string> public_identity(const sip::Uri& uri) {
  if (uri.scheme() == sip::Scheme::tel) return plain_number(uri.user());
  if (!uri.is_sip() || !uri.has_user()) return std::nullopt;
  // Escapes that need not be are resolved, those that must be are written in one way.
  return "sip:" + sip::escaped_user(sip::unescaped(uri.user())) + '@' + sip::to_lower(uri.host());
}

std::optional<std::string> public_identity(std::string_view uri) {
  const auto parsed = sip::Uri::parse(uri);
  return parsed ? public_identity(*parsed) : std::nullopt;
}

std::optional<std::string> number_identity(const sip::Uri& uri) {
  if (!uri.is_sip() || !uri.user().starts_with('+')) return std::nullopt;
  const std::string_view user = uri.user().substr(0, uri.user().find(';'));
  const bool is_number = std::all_of(user.begin() + 1, user.end(), [](char c) {
    return sip::is_in(c, sip::char_digit) || std::string_view{"-.()"}.find(c) != std::string_view::npos;
  });
  return is_number ? std::optional{plain_number(user)} : std::nullopt;
}

std::string derived_private_identity(std::string_view impu) {
  const std::size_t colon = impu.find(':');
  return std::string{colon == std::string_view::npos ? impu : impu.substr(colon + 1)};
}

}  // namespace turnpike::ims
