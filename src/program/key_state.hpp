#pragma once
// The last good keys of a provider in a file, so that a relay which restarts while the provider is away goes
// on. The file is for its owner alone, as a configuration with keys is.

#include <expected>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "service/key_provider.hpp"

namespace turnpike::program {

struct KeyState {
  std::vector<service::StunKey> keys{};
  WallTime fetched_at{};
  bool is_withdrawn = false;
};

// Of settings.state_file; empty where there is none, or it is of another provider. The error is a sentence.
std::expected<KeyState, std::string> read_key_state(const service::KeyProviderSettings& settings);
// Whole or not at all. The error is a sentence.
std::expected<void, std::string> write_key_state(const service::KeyProviderSettings& settings,
                                                 const KeyState& state);

}  // namespace turnpike::program
