#pragma once
// The composition root of `turnpike serve`: configuration in; the relay and the nodes of SIP that the
// configuration asks for, the administrator's socket, log and metrics out.

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "program/admin_desk.hpp"
#include "program/admin_socket.hpp"
#include "program/config.hpp"
#include "program/control_plane.hpp"
#include "program/key_providers.hpp"
#include "program/relay_interface.hpp"
#include "program/relay_reports.hpp"
#include "relay/server.hpp"

namespace turnpike::program {

class Serving {
 public:
  // All or nothing: the error is one line, and nothing is left open. `log` outlives the Serving.
  static std::expected<std::unique_ptr<Serving>, std::string> start(Config config, Log& log);
  ~Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  // Answers the administrator and obeys signals until the process is told to end, or until it is drained and
  // idle. `signals` is a signalfd.
  void run(int signals);

  // Reads the file again and takes in what can change while running: users, secrets, keys, the log level. A
  // file with problems changes nothing.
  ReloadOutcome reload();
  // No new allocations and connections; run() ends when the last allocation and the last call have ended.
  DrainOutcome drain();

  relay::Server& server() { return *server_; }  // with [turn] alone
  AdminDesk& desk() { return *desk_; }
  ControlPlane& control_plane() { return *control_plane_; }
  KeyProviders* key_providers() { return key_providers_.get(); }

 private:
  Serving(Config config, Log& log);
  std::expected<void, std::string> open();
  std::expected<void, std::string> open_relay();
  std::expected<void, std::string> open_relay_interface();
  std::expected<void, std::string> take_in_credentials();
  [[nodiscard]] DrainOutcome what_runs();
  void tell_ready();
  void tell_relay_ready();
  void take_in(Config& read, ReloadOutcome& outcome);
  void take_in_control_plane(Config& read, ReloadOutcome& outcome);
  bool obey(int signals);  // false: end

  Config config_;
  Log& log_;
  metrics::Registry metrics_{};
  metrics::Counter reloads_done_, reloads_refused_;
  std::optional<RelayReports> reports_{};
  std::optional<AdminSocket> socket_{};
  std::unique_ptr<relay::Server> server_{};        // null without [turn]
  std::unique_ptr<KeyProviders> key_providers_{};  // with [[credentials.token.providers]], once there are any
  std::unique_ptr<ControlPlane> control_plane_{};
  std::unique_ptr<RelayStore> relay_store_{};
  std::unique_ptr<RelayInterface> relay_interface_{};
  std::unique_ptr<AdminDesk> desk_{};
  bool is_draining_ = false;
};

// "turn.listen", "admin.socket": what differs and is read at the start alone.
std::vector<std::string> settings_that_need_restart(const Config& running, const Config& read);

}  // namespace turnpike::program
