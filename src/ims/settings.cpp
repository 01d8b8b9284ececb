#include "ims/settings.hpp"

#include <algorithm>

#include "sip/text.hpp"
#include "sip/uri.hpp"

namespace turnpike::ims {
namespace {

constexpr std::uint16_t port_default = 5060;

}  // namespace

bool Settings::trusts(const sip::Hop& from) const {
  return std::any_of(trusted_nodes.begin(), trusted_nodes.end(),
                     [&](const std::string& host) { return sip::equal_ignoring_case(host, from.host); });
}

bool Settings::is_own(const sip::Uri& uri) const {
  if (!uri.is_sip()) return false;
  if (sip::equal_ignoring_case(uri.host(), domain)) return !uri.port() || *uri.port() == self.port;
  return sip::equal_ignoring_case(uri.host(), self.host) && uri.port().value_or(port_default) == self.port;
}

std::string Settings::own_uri(std::string_view user) const {
  std::string uri = "sip:";
  uri += user;
  if (!user.empty()) uri += '@';
  uri += self.host + ':' + std::to_string(self.port);
  if (self.transport == sip::Transport::tcp) uri += ";transport=tcp";
  return uri + ";lr";
}

std::string Settings::via_to(const sip::Hop& to) const {
  return std::string{sip::to_string(to.transport)} + ' ' + self.host + ':' + std::to_string(self.port);
}

}  // namespace turnpike::ims
