#pragma once
// The credential API (docs/credential-api.md) without sockets: a request comes in, its answer comes out, at
// once or when a token is checked and a relay has acknowledged what was pushed.
//
// All calls happen on the one thread that runs the loop.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "credentials/sources.hpp"
#include "service/api_ledger.hpp"
#include "service/api_refusal.hpp"
#include "service/api_settings.hpp"
#include "service/http_server.hpp"
#include "service/relay_port.hpp"
#include "service/token_checker.hpp"

namespace boost::asio {
class io_context;
}

namespace turnpike::service {

// Told on the loop's thread; must be quick, and must not call the desk. Views end with the call.
class ApiObserver {
 public:
  virtual ~ApiObserver() = default;
  struct Issued {
    std::string_view caller{};
    std::string_view subject{};
    credentials::Source source{};
    bool is_fallback = false;
    std::chrono::seconds ttl{};
  };
  virtual void on_issued(const Issued& issued) = 0;
  virtual void on_withdrawn(std::string_view caller, std::size_t count, bool is_confirmed) = 0;
  virtual void on_refused(std::string_view caller, const SocketAddress& remote, ApiRefusal refusal,
                          Now now) = 0;
};

struct ApiCounters {
  std::uint64_t issued = 0;
  std::uint64_t issued_by_fallback = 0;
  std::uint64_t withdrawals = 0;
  std::uint64_t withdrawals_unconfirmed = 0;
  std::array<std::uint64_t, api_refusal_count> refused{};
  std::uint64_t users = 0;
  std::uint64_t waiting = 0;
};

// Without a port nothing is pushed or withdrawn, and no token is good. They outlive the desk's loop.
struct ApiPorts {
  RelayPort* relays = nullptr;
  TokenChecker* tokens = nullptr;
};

class ApiDesk {
 public:
  // Loop, random and observer outlive the desk. `clock` is read once for each turn.
  ApiDesk(boost::asio::io_context& loop, ApiSettings settings, const ApiPorts& ports, Random& random,
          ApiObserver& observer, std::function<Now()> clock = read_clocks);
  ApiDesk(const ApiDesk&) = delete;
  ApiDesk& operator=(const ApiDesk&) = delete;
  ~ApiDesk();  // who waits is not answered any more

  void answer(ServedRequest request, HttpServer::Respond respond);

  // Users and what they hold stay.
  void reconfigure(ApiSettings settings);
  // provisioning::Provisioner::offer
  void offer(std::vector<std::string> uris);
  // As DELETE does, for the administrator: how many subjects were taken back. Returns at once.
  std::size_t withdraw(std::string_view user);

  [[nodiscard]] ApiCounters counters() const;
  [[nodiscard]] std::vector<ApiUserView> users(std::size_t max) const;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace turnpike::service
