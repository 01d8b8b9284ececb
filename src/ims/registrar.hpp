#pragma once
// Registrar answers REGISTER: RFC 3261 section 10.3 with Path (RFC 3327), outbound (RFC 5626), Service-Route
// (RFC 3608) and what TS 24.229 section 5.4.1 has an S-CSCF say.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "ims/authenticator.hpp"
#include "ims/refusal.hpp"
#include "ims/registrations.hpp"
#include "ims/settings.hpp"
#include "sip/hop.hpp"
#include "sip/message.hpp"

namespace turnpike::ims {

// The answer, and what it was about.
struct RegisterOutcome {
  enum class Kind : std::uint8_t { registered, fetched, deregistered, challenged, refused };
  Kind kind = Kind::refused;
  std::string response{};
  std::string impi{};
  RefusalReason refusal{};  // of an authentication that failed
  bool has_refusal = false;
};

class Registrar {
 public:
  // All of them outlive the registrar.
  Registrar(const Settings& settings, Authenticator& authenticator, Registrations& registrations)
      : settings_(settings), authenticator_(authenticator), registrations_(registrations) {}

  RegisterOutcome on_register(const sip::Message& request, const sip::Hop& from, std::string_view to_tag,
                              Now now);

 private:
  struct Wish;  // what the Contacts of a request ask for
  [[nodiscard]] std::expected<Wish, Refusal> read_wish(const sip::Message& request, std::string_view impu,
                                                       const sip::Hop& from, const Registration* known,
                                                       Now now) const;
  [[nodiscard]] std::expected<void, Refusal> add_contact(const sip::Message& request,
                                                         const sip::NameAddr& contact, Binding like,
                                                         const Registration* known, Wish& wish,
                                                         Now now) const;
  RegisterOutcome obey(const sip::Message& request, const Accepted& accepted, Wish wish,
                       std::string_view to_tag, Now now);
  [[nodiscard]] std::string make_ok(const sip::Message& request, const Accepted& accepted,
                                    const Registration* registration, bool is_outbound,
                                    std::string_view to_tag, Now now) const;

  const Settings& settings_;
  Authenticator& authenticator_;
  Registrations& registrations_;
};

}  // namespace turnpike::ims
