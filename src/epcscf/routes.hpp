#pragma once
// What a request says of its way and of who speaks.

#include <optional>
#include <string>

#include "epcscf/registrations.hpp"
#include "sip/editor.hpp"
#include "sip/hop.hpp"
#include "sip/message.hpp"

namespace turnpike::epcscf {

// RFC 3261 section 16.6 step 7, once the first Route is popped: the next one, else the Request-URI.
std::optional<sip::Hop> next_hop_behind_first_route(const sip::Message& request);

// RFC 3325 section 5: the preferred identity where it is the registration's own, else the default one. As the
// core wrote it.
std::string find_asserted_identity(const sip::Message& request, const Registration& registration);
// Of who answers: the identity that was called.
std::string find_called_identity(const sip::Message& request, const Registration& registration);

// Rows of credentials without what a WIC must not say; rows that are malformed go.
bool strip_credentials(sip::Editor& edited, const sip::Message& request, sip::HeaderName name);

}  // namespace turnpike::epcscf
