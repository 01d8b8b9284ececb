#pragma once
// application/reginfo+xml of RFC 3680 section 5, as TS 24.229 section 5.4.2.1.2 has an S-CSCF fill it in.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "ims/registrations.hpp"

namespace turnpike::ims {

// How much a document says. Each step is much smaller than the one before.
enum class RegInfoDetail : std::uint8_t {
  full,    // every contact, under each identity of the set
  ends,    // partial state: the contacts that have ended, under the default identity; nothing of who lives on
  states,  // partial state: of each identity whether it is registered
};
inline constexpr std::array reg_info_details{RegInfoDetail::full, RegInfoDetail::ends, RegInfoDetail::states};

// No registration: "init", or "terminated" where contacts have ended.
std::string format_reg_info(std::uint32_t version, const std::vector<std::string>& impus,
                            const Registration* registration, const std::vector<Binding>& ended,
                            RegInfoDetail detail, Now now);

}  // namespace turnpike::ims
