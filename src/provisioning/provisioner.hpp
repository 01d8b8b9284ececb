#pragma once
// Makes what the 200 OK to a REGISTER brings its WIC (TS 33.203 X.5): credentials of one of three sources,
// and for those who ask a token of RFC 7635 behind them, with the eP-CSCF as its authorization server.
//
// One opaque subject stands behind everything that one registration is given: it is in the id of a computed
// username, beside a pushed one, in a token's policy and in the suffix of its kid. To revoke the subject
// takes all of it back.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "credentials/sources.hpp"
#include "provisioning/credential_life.hpp"
#include "provisioning/provision.hpp"

namespace turnpike::provisioning {

// Who is registered: told to nobody. The salt is the registration's own, so that nobody is followed from one
// to the next.
struct Subject {
  std::string_view user_id{};
  std::string_view salt{};
  // When the credential that the registration was given before ends: a computed name is little more than its
  // end, and the next one is another even within the same second.
  std::optional<WallTime> last_end{};
};

struct Settings {
  std::string realm{};
  std::vector<std::string> uris{};             // RFC 7065, in the order in which clients should try them
  std::vector<credentials::Source> sources{};  // the first one is used, the others stand in for it in order
  std::optional<credentials::ComputedSettings> computed{};
  std::optional<credentials::TokenSettings> token{};
  credentials::Policy policy{};  // carried by pushed credentials and tokens in the browser form
  Secret opaque_id_key{};
  LifeLimits life{};
};

enum class ProvisionFailure : std::uint8_t {
  unknown_realm,      // the client asks for another one
  unknown_transport,  // there is no URI of it
  no_relay,           // there is no URI at all
  no_source,          // none is configured, not the one asked for, or none of its keys is valid for so long
};
std::string_view to_string(ProvisionFailure failure);  // "unknown_realm", ...

// When the last of it has ended by itself for every relay, their clocks' tolerance included: until then a
// revocation has to stand.
WallTime find_last_end(const Provision& provision);

class Provisioner {
 public:
  explicit Provisioner(Settings settings) : settings_(std::move(settings)) {}

  // `only`: of this source alone; else of the first one that can.
  [[nodiscard]] std::expected<Provision, ProvisionFailure> provision(
      const Request& request, const Subject& subject, std::chrono::seconds registration_lifetime,
      std::optional<credentials::Source> only, WallTime wall, Random& random) const;

  // What stands in for a source that failed after it was asked; nothing at the end of the list.
  [[nodiscard]] std::optional<credentials::Source> find_fallback(credentials::Source source) const;

  // What quotas and revocation see: 16 characters of base32.
  [[nodiscard]] std::string make_subject(const Subject& subject) const;

  // Those of relays that live, in the order in which clients should try them; replaces what was configured.
  void offer(std::vector<std::string> uris) { settings_.uris = std::move(uris); }

  [[nodiscard]] const Settings& settings() const { return settings_; }

 private:
  Settings settings_;
};

}  // namespace turnpike::provisioning
