#pragma once
// The two trust edges: what a WIC must not tell the core, and what the core's words must not reach a WIC.

#include <string>
#include <string_view>

#include "sip/editor.hpp"
#include "sip/message.hpp"

namespace turnpike::epcscf {

// Of requests and responses of a WIC. True where it claimed what only the core may say: forged trust.
bool strip_from_client(sip::Editor& edited, const sip::Message& message);

// A WebSocket message may do without Content-Length (RFC 7118 section 5.1), a stream may not (RFC 3261
// section 18.3).
void add_missing_length(sip::Editor& edited, const sip::Message& message);

// Of requests and responses of the core. RFC 3325 section 5: with "Privacy: id" the asserted identity stays
// with the core.
// True where it brought TURN credentials, which are this node's to give.
bool strip_from_core(sip::Editor& edited, const sip::Message& message);

// Credentials without what a WIC must not say (integrity-protected, authorization-entity; also ck and ik,
// which it must not be told), with `more` parameters behind. Empty where nothing is left.
std::string without_trust_params(const sip::Credentials& credentials, std::string_view more = {});
bool has_trust_params(const sip::Credentials& credentials);
// Names of such parameters within a value or a scheme: nothing to take out, and bait for whoever searches the
// text for them, as a core of few lines does.
bool smuggles_trust_params(const sip::Credentials& credentials);

}  // namespace turnpike::epcscf
