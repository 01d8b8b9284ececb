#pragma once
// What an issuer of this process hands out: the sources and keys that it shares with its relays.

#include <string>
#include <vector>

#include "program/config.hpp"
#include "provisioning/provisioner.hpp"

namespace turnpike::program {

// `uris` stand in where there are no [[relays]]. Its life is that of a registration without limits.
provisioning::Settings make_provisioning_settings(const Config& config,
                                                  const std::vector<credentials::Source>& sources,
                                                  const std::vector<std::string>& uris);

}  // namespace turnpike::program
