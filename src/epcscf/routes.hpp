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
// Whether a request of the core is for this registration: by P-Called-Party-ID (RFC 7315 section 4.2), by the
// Contact in the Request-URI, or by To.
bool names_called_party(const sip::Message& request, const Registration& registration);
bool is_for_contact(const sip::Message& request, const Registration& registration);
bool names_in_to(const sip::Message& request, const Registration& registration);
// Of who answers: the identity that was called.
std::string find_called_identity(const sip::Message& request, const Registration& registration);

// Rows of credentials without what a WIC must not say; rows that are malformed go.
bool strip_credentials(sip::Editor& edited, const sip::Message& request, sip::HeaderName name);

}  // namespace turnpike::epcscf
