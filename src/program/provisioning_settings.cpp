#include "program/provisioning_settings.hpp"

#include "base/random.hpp"
#include "program/issue.hpp"
#include "program/relay_group.hpp"

namespace turnpike::program {

provisioning::Settings make_provisioning_settings(const Config& config,
                                                  const std::vector<credentials::Source>& sources,
                                                  const std::vector<std::string>& uris) {
  provisioning::Settings settings;
  settings.realm = config.credentials.realm;
  settings.uris = config.relays.empty() ? uris : find_unconfirmed_uris(config);
  settings.sources = sources;
  settings.computed = config.credentials.computed;
  settings.token = config.credentials.token;
  // Pushed credentials alone need no key that others share.
  const auto key = find_opaque_id_key(config);
  settings.opaque_id_key = key ? *key : Secret{SystemRandom{}.draw<32>()};
  return settings;
}

}  // namespace turnpike::program
