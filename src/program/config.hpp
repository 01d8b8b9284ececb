#pragma once
// The configuration of `turnpike serve` and of the commands beside it: typed, with defaults, checked as a
// whole before anything is opened. Every problem is told at once, each as one line: file, line, key, what was
// found and what is allowed. Unknown keys are problems. Relative paths start at the folder of the file.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/secret.hpp"
#include "credentials/registry.hpp"
#include "turn/settings.hpp"

namespace turnpike::program {

struct Config {
  std::string file;
  turn::Settings turn{};      // listeners as written: wildcards are not yet expanded
  std::string server_name{};  // RFC 7635; the realm unless set
  unsigned shards = 0;        // 0: one per CPU that the process may use
  std::chrono::seconds nonce_lifetime{600};
  std::vector<std::string> uris{};  // what clients are told; made from the listeners unless set
  credentials::RegistrySettings credentials{};
  std::string admin_socket{};  // empty: none
  Secret opaque_id_key{};      // of `turnpike issue`; made from the first secret unless set
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
};

struct LoadedConfig {
  Config config;                        // good for nothing when there are problems
  std::vector<std::string> problems{};  // "turnpike.toml:7: turn.realm: found 5, allowed: ..."
  std::vector<std::string> warnings{};
};
LoadedConfig load_config(const std::string& file);
// `file` names the lines and the folder.
LoadedConfig parse_config(std::string_view text, const std::string& file);

// The whole configuration as it is in force, defaults included, in TOML. Secrets are masked.
std::string format_config(const Config& config);
// What would be served, in a few lines for a person.
std::string describe_config(const Config& config);

}  // namespace turnpike::program
