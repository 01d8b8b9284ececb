#pragma once
// The core's answer to a REGISTER: what it grants, what is kept of it here, and what the WIC hears.

#include <chrono>
#include <string>
#include <vector>

#include "epcscf/credential_desk.hpp"
#include "epcscf/register_request.hpp"
#include "epcscf/registrations.hpp"
#include "sip/message.hpp"

namespace turnpike::epcscf {

// What the core grants to the contact of the request, cut to the token's end; 0: it is not registered.
std::chrono::seconds find_granted(const RegisterRequest& request, const sip::Message& response, Now now,
                                  const Settings& settings);

// P-Associated-URI, the default identity first; the AoR where the core names none.
std::vector<std::string> read_identities_of(const sip::Message& response, const RegisterRequest& request,
                                            const Limits& limits);
// Service-Route (RFC 3608).
void learn_routes(Registration& registration, const sip::Message& response, const Limits& limits);

// `outcome`: of provisioning; none was asked for where it is absent.
std::string make_register_answer(const RegisterRequest& request, const sip::Message& response,
                                 const CredentialDesk::Outcome* outcome, Now now, const Settings& settings);

}  // namespace turnpike::epcscf
