#pragma once
// Public and private identities as text that can be compared.

#include <string>
#include <string_view>

#include "sip/uri.hpp"

namespace turnpike::epcscf {

// An IMPU in one spelling: "sip:alice@ims.example" without parameters and port, also of a sips URI;
// "tel:+15550100" without visual separators; others as they are.
std::string canonical_identity(const sip::Uri& uri);
std::string canonical_identity(std::string_view uri);  // as it is where it is no URI

// TS 23.003 section 13.3 in reverse: the IMPI of a user who names none, "alice@ims.example". Empty for what
// is no sip URI with a user.
std::string derive_impi(const sip::Uri& impu);

// Before the "@" each "*" stands for any text: "*@pool.example" matches every user of the domain.
bool matches_identity_pattern(std::string_view pattern, std::string_view impi);

}  // namespace turnpike::epcscf
