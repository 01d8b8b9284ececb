#pragma once
// application/reginfo+xml of RFC 3680 section 5, as TS 24.229 section 5.4.2.1.2 has an S-CSCF fill it in.

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "ims/registrations.hpp"

namespace turnpike::ims {

// Full state of each identity of the set. No registration: "init", or "terminated" where contacts have ended.
std::string format_reg_info(std::uint32_t version, const std::vector<std::string>& impus,
                            const Registration* registration, const std::vector<Binding>& ended, Now now);

}  // namespace turnpike::ims
