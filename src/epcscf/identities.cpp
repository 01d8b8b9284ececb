#include "epcscf/identities.hpp"

#include "sip/text.hpp"

namespace turnpike::epcscf {

std::string canonical_identity(const sip::Uri& uri) {
  if (uri.scheme() == sip::Scheme::tel) {
    std::string text = "tel:";
    for (const char character : uri.user())
      if (std::string_view{"-.()"}.find(character) == std::string_view::npos) text += sip::lower(character);
    return text;
  }
  if (!uri.is_sip()) return std::string{uri.text()};
  std::string text = "sip:";
  if (uri.has_user()) {
    text += sip::unescaped(uri.user());
    text += '@';
  }
  return text + sip::to_lower(uri.host());
}

std::string canonical_identity(std::string_view uri) {
  const auto parsed = sip::Uri::parse(uri);
  return parsed ? canonical_identity(*parsed) : std::string{uri};
}

std::string derive_impi(const sip::Uri& impu) {
  if (!impu.is_sip() || !impu.has_user()) return {};
  return canonical_identity(impu).substr(std::string_view{"sip:"}.size());
}

bool matches_identity_pattern(std::string_view pattern, std::string_view impi) {
  if (!pattern.starts_with("*@")) return pattern == impi;
  const std::size_t at = impi.rfind('@');
  return at != std::string_view::npos && at > 0 &&
         sip::equal_ignoring_case(impi.substr(at), pattern.substr(1));
}

}  // namespace turnpike::epcscf
