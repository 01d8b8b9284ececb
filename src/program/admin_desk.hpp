#pragma once
// Answers the administrator: one JSON object in, one out. A request names its "command"; an answer has "ok"
// and, where that is false, "error". docs/operating.md lists both.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.hpp"
#include "base/time.hpp"
#include "program/config.hpp"
#include "program/control_plane.hpp"
#include "program/key_providers.hpp"
#include "relay/server.hpp"

namespace turnpike::program {

struct ReloadOutcome {
  std::vector<std::string> problems{};  // any: nothing was changed
  std::vector<std::string> warnings{};
  std::vector<std::string> needs_restart{};  // settings that have changed in the file and not in the server
};

struct DrainOutcome {  // what is waited for
  std::uint64_t allocations_active = 0;
  std::uint64_t calls_active = 0;
  [[nodiscard]] bool is_nothing() const { return allocations_active == 0 && calls_active == 0; }
};

class AdminDesk {
 public:
  struct Hooks {
    std::function<ReloadOutcome()> reload;
    std::function<DrainOutcome()> drain;
    std::function<KeyProviders*()> key_providers;  // null where keys are not fetched
  };

  // All of them outlive the desk; `config` is the one in force, `server` is null without [turn].
  AdminDesk(const Config& config, relay::Server* server, const metrics::Registry& metrics, Hooks hooks,
            ControlPlane& control_plane);

  std::string answer(std::string_view request, WallTime wall);

 private:
  const Config& config_;
  relay::Server* server_;
  const metrics::Registry& metrics_;
  Hooks hooks_;
  ControlPlane& control_plane_;
};

}  // namespace turnpike::program
