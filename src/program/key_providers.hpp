#pragma once
// The authorization servers from which this relay fetches the keys of tokens
// ([[credentials.token.providers]], docs/keys.md): a thread of its own that fetches, and hands the relay its
// credentials together with what was fetched. Each provider has kids of its own, and can be withdrawn alone.

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "program/config.hpp"
#include "relay/server.hpp"
#include "service/key_provider.hpp"

namespace turnpike::program {

struct KeyProviderView {
  struct Key {
    std::string kid{};
    WallTime ends_at{};  // nothing is made with it any more
    WallTime accepted_until{};
  };
  std::string name{};
  std::string url{};
  std::string kid_prefix{};
  bool is_withdrawn = false;
  std::vector<Key> keys{};  // the newest first
  service::KeyProviderStatus status{};
};

class KeyProviders {
 public:
  // Hands the relay what a former process has left in the state files, and fetches. The error is one line
  // about a file. Server, log and metrics outlive it.
  static std::expected<std::unique_ptr<KeyProviders>, std::string> start(const Config& config,
                                                                         relay::Server& server, Log& log,
                                                                         metrics::Registry& metrics);
  ~KeyProviders();
  KeyProviders(const KeyProviders&) = delete;
  KeyProviders& operator=(const KeyProviders&) = delete;

  // --- from another thread ---
  // The relay's credentials from now on, and its providers. Those that are not there any more are withdrawn.
  // Where a file of a new one cannot be used, the providers stay as they were, and the error says why.
  std::expected<void, std::string> reconfigure(const Config& config);
  // What the relay goes by: the configured keys and those that were fetched.
  credentials::RegistrySettings credentials();
  std::vector<KeyProviderView> views();

  // The error is one line: there is no such provider, or it is not in a state for this.
  std::expected<void, std::string> fetch(std::string_view name);
  // When it returns, every shard refuses what this provider makes, and the allocations by it have ended; that
  // many. Where there is a state file, it outlives the process.
  std::expected<std::size_t, std::string> withdraw(std::string_view name);
  std::expected<void, std::string> restore(std::string_view name);

 private:
  class Impl;
  explicit KeyProviders(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::program
