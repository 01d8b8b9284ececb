#pragma once
// The composition root of `turnpike serve`: configuration in; a running relay, the nodes of SIP
// that the configuration asks for, the administrator's socket, log and metrics out.

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

  // Answers the administrator and obeys signals until the process is told to end, or until a drained server
  // is empty. `signals` is a signalfd.
  void run(int signals);

  // Reads the file again and takes in what can change while running: users, secrets, keys, the log level. A
  // file with problems changes nothing.
  ReloadOutcome reload();
  // No new allocations; run() ends when the last one has ended.
  void drain();

  relay::Server& server() { return *server_; }
  AdminDesk& desk() { return *desk_; }
  ControlPlane& control_plane() { return *control_plane_; }

 private:
  Serving(Config config, Log& log);
  std::expected<void, std::string> open();
  std::expected<void, std::string> open_relay_interface();
  void tell_ready();
  void take_in_control_plane(Config& read, ReloadOutcome& outcome);
  bool obey(int signals);  // false: end

  Config config_;
  Log& log_;
  metrics::Registry metrics_{};
  metrics::Counter reloads_done_, reloads_refused_;
  RelayReports reports_;
  std::optional<AdminSocket> socket_{};
  std::unique_ptr<relay::Server> server_{};
  std::unique_ptr<ControlPlane> control_plane_{};
  std::unique_ptr<RelayStore> relay_store_{};
  std::unique_ptr<RelayInterface> relay_interface_{};
  std::unique_ptr<AdminDesk> desk_{};
  bool is_draining_ = false;
};

// "turn.listen", "admin.socket": what differs and is read at the start alone.
std::vector<std::string> settings_that_need_restart(const Config& running, const Config& read);

}  // namespace turnpike::program
