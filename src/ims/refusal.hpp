#pragma once
// What the core answers itself instead of forwarding or registering.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sip/header_name.hpp"

namespace turnpike::ims {

struct Refusal {
  std::uint16_t status_code = 500;
  std::string reason{};  // empty: the RFC's
  std::vector<std::pair<sip::HeaderName, std::string>> rows{};
};

}  // namespace turnpike::ims
