#pragma once
// Whose request it is where proxies stand in front: X-Forwarded-For, which each of them adds to.

#include <vector>

#include "base/address.hpp"
#include "waf/message.hpp"

namespace turnpike::waf {

// From the nearest on, as far as the proxies can be trusted: the first address that is none of theirs. `peer`
// is who has connected. What a stranger has written further to the left, or what is no address, is never
// taken; the last proxy that is known stands for it then.
IpAddress find_client_address(const Fields& fields, const IpAddress& peer,
                              const std::vector<IpPrefix>& trusted_proxies);

}  // namespace turnpike::waf
