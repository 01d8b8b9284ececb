#pragma once
// Settings with all three sources, for the tests of this folder.

#include "credentials/registry.hpp"
#include "provisioning/provisioner.hpp"

namespace turnpike::provisioning {

inline constexpr WallTime test_wall{std::chrono::seconds{1'893'456'000}};

inline Settings make_test_settings(std::vector<credentials::Source> sources) {
  Settings settings;
  settings.realm = "ims.example";
  settings.uris = {"turn:turn1.ims.example:3478?transport=udp", "turn:turn1.ims.example:3478?transport=tcp",
                   "turns:turn1.ims.example:443?transport=tcp"};
  settings.sources = std::move(sources);
  settings.computed = credentials::ComputedSettings{
      .secrets = {{.id = "k1", .secret = Secret::from_text("a secret of the computed source")}}};
  settings.token = credentials::TokenSettings{
      .server_name = "turn.ims.example",
      .keys = {{.kid = "k1", .key = Secret::from_text("HGkj32KJGiuy098sdfaqbNjOiaz71923")}}};
  settings.policy = {.allocations_max = 4};
  settings.opaque_id_key = Secret::from_text("a key that makes opaque ids");
  return settings;
}

// What a relay of these settings accepts.
inline credentials::RegistrySettings make_test_registry_settings(const Settings& settings) {
  credentials::RegistrySettings registry;
  registry.realm = settings.realm;
  registry.computed = settings.computed;
  registry.pushed = credentials::PushedSettings{};
  registry.token = settings.token;
  return registry;
}

}  // namespace turnpike::provisioning
