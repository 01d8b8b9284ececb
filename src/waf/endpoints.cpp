#include "waf/endpoints.hpp"

#include <algorithm>

namespace turnpike::waf::endpoint {

std::string_view origin_of(std::string_view uri) {
  const auto scheme = uri.find("://");
  if (scheme == std::string_view::npos) return uri.substr(0, uri.find(':') + 1);
  return uri.substr(0, uri.find_first_of("/?#", scheme + 3));
}

std::string_view path_of(std::string_view issuer) {
  std::string_view path = issuer.substr(origin_of(issuer).size());
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace turnpike::waf::endpoint
