#pragma once
// Who hands out credentials in a world: all four sources of one relay, and the token's two wire forms. What
// was handed out is known here, so that a model can tell whose a request is without asking the relay.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "credentials/issue.hpp"
#include "credentials/registry.hpp"
#include "sim/relay_host.hpp"
#include "sim/world.hpp"
#include "stun/message.hpp"
#include "turn/client.hpp"

namespace turnpike::sim {

enum class Form : std::uint8_t { static_user, computed, pushed, token, browser_token };
inline constexpr std::array all_forms{Form::static_user, Form::computed, Form::pushed, Form::token,
                                      Form::browser_token};
std::string_view to_string(Form form);

struct Credential {
  Form form{};
  turn::ClientCredential shown;
  std::string username;  // as on the wire
  std::string subject;   // as the relay counts it
  std::string kid;
  ByteVector access_token;
  std::string token_hash;  // in hex
  WallTime expires_at = WallTime::max();
  std::uint32_t allocations_max = 0;
  std::vector<credentials::Key> keys;  // any of them may prove a request

  // Does the message carry this identity, and an integrity that holds under its key?
  [[nodiscard]] bool is_claimed_by(const stun::Message& request, std::string_view realm) const;
  [[nodiscard]] bool proves(const stun::Message& message) const;
  [[nodiscard]] bool is_hit_by(const credentials::Revocation& revocation) const;
};

// Settings with all four sources: users user0 .. user9, two shared secrets, two AS-RS keys.
credentials::RegistrySettings make_registry_settings();
std::string static_password(std::string_view user);

class Issuer {
 public:
  Issuer(World& world, RelayHost& relay) : world_(&world), relay_(&relay), random_(world.fork()) {}

  // Pushes to the relay what has to be there first. The lifetime is no matter for static users.
  Credential issue(Form form, std::string_view user, std::chrono::seconds lifetime,
                   const credentials::Policy& policy = {});

 private:
  [[nodiscard]] Credential issue_static(std::string_view user) const;
  [[nodiscard]] Credential issue_computed(std::string_view user, WallTime expires_at) const;
  Credential issue_pushed(std::string_view user, WallTime expires_at, const credentials::Policy& policy);
  Credential issue_token(std::string_view user, std::chrono::seconds lifetime);
  Credential issue_browser_token(std::string_view user, std::chrono::seconds lifetime,
                                 const credentials::Policy& policy);
  void remember_password(Credential& credential, const credentials::IssuedPassword& issued) const;

  World* world_;
  RelayHost* relay_;
  SeededRandom random_;
};

}  // namespace turnpike::sim
