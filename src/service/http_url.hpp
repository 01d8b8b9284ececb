#pragma once
// HttpUrl under the name that it had before other layers needed it.

#include "base/http_url.hpp"

namespace turnpike::service {
using turnpike::HttpUrl;
}  // namespace turnpike::service
