#pragma once
// Public identities (IMPU) are compared as text once they are written in one way.

#include <optional>
#include <string>
#include <string_view>

#include "sip/uri.hpp"

namespace turnpike::ims {

// "sip:alice@ims.example" of <sips:alice@IMS.example:5061;transport=tls>, "tel:+4930123" of
// tel:+49-30-123;phone-context=x. Nothing for a sip URI without user and for other schemes.
std::optional<std::string> public_identity(const sip::Uri& uri);
std::optional<std::string> public_identity(std::string_view uri);
// The telephone number that a sip URI holds, as a tel identity: "sip:+4930123@ims.example;user=phone".
std::optional<std::string> number_identity(const sip::Uri& uri);
// TS 24.229 section 5.4.1.2.1: who registers without Authorization. "alice@ims.example"
std::string derived_private_identity(std::string_view impu);

}  // namespace turnpike::ims
