#pragma once
// A REGISTER of a WIC: what it asks for, and the text that goes on to the core (TS 24.229 section 5.2.2).

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "epcscf/effects.hpp"
#include "epcscf/registrations.hpp"
#include "epcscf/switchboard.hpp"
#include "provisioning/provision.hpp"
#include "sip/message.hpp"
#include "sip/transaction_layer.hpp"

namespace turnpike::epcscf {

enum class RegisterKind : std::uint8_t {
  binding,
  removal,         // "expires" 0 of the one contact
  removal_of_all,  // "*"
  query,           // no contact
};

// How the WIC proves who it is.
enum class ProofKind : std::uint8_t { none, digest, aka, bearer };

struct RegisterRequest {
  std::string text{};  // as it was received
  sip::ServerId server{};
  FlowId flow{};
  RegisterKind kind = RegisterKind::query;
  ProofKind proof = ProofKind::none;
  bool has_response = false;    // of digest or AKA
  bool is_third_party = false;  // From is not To
  bool is_forged = false;       // of what it says of itself, something was taken out
  RegistrationKey key{};
  std::string from{};                       // canonical
  std::string contact{};                    // its URI
  std::string token{};                      // of bearer
  std::optional<TokenIdentity> identity{};  // once the token was accepted
  bool wants_header = false, wants_body = false;
  bool is_wish_malformed = false;
  provisioning::Request wish{};

  [[nodiscard]] bool wants_credentials() const { return wants_header || wants_body; }
  // Digest, AKA or a token: a 200 without any of them proves nobody.
  [[nodiscard]] bool is_proved() const { return has_response || identity.has_value(); }
};

struct RegisterProblem {
  std::uint16_t status_code = 400;
  const char* reason = "";  // of the answer; empty: the standard one
  RegistrationRefusal refusal = RegistrationRefusal::malformed;
  bool is_forged = false;  // it says what only the core may say
};
std::expected<RegisterRequest, RegisterProblem> read_register(const sip::Message& message,
                                                              const Settings& settings);

// An error when Max-Forwards has run out.
struct CoreRegister {
  const ClientInfo& client;
  bool is_bound = false;                               // this IMPI is registered over this connection
  std::string authorization_entity{};                  // the WAF, where it is a third party
  std::optional<std::chrono::seconds> lifetime_max{};  // of the token
};
sip::Parsed<sip::OwnRequest> make_core_register(const sip::Message& message, const RegisterRequest& request,
                                                const CoreRegister& how, Switchboard& board);

}  // namespace turnpike::epcscf
