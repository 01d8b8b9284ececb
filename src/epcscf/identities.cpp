#include "epcscf/identities.hpp"

#include "base/glob.hpp"
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
  const std::size_t pattern_at = pattern.rfind('@'), at = impi.rfind('@');
  if (pattern_at == std::string_view::npos || at == std::string_view::npos || at == 0) return pattern == impi;
  return sip::equal_ignoring_case(impi.substr(at), pattern.substr(pattern_at)) &&
         matches_glob(pattern.substr(0, pattern_at), impi.substr(0, at));
}

}  // namespace turnpike::epcscf
