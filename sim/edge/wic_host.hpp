#pragma once
// A WIC in the world: client::WicAgent over a connection to the edge, and a TURN client that uses what the
// registration brings. It comes back when its connection is lost, and answers whoever calls.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/wic_agent.hpp"
#include "sim/client_host.hpp"
#include "sim/edge/edge_host.hpp"

namespace turnpike::sim {

struct WicSettings {
  client::WicAgentSettings agent{};
  SocketAddress local{};                           // of its TURN client, and as the edge sees it
  Duration delay = std::chrono::milliseconds{20};  // of its connection, one way
  Duration comes_back_after = std::chrono::seconds{1};
  bool answers_calls = true;
};

class WicHost final : public WebSocket::Owner {
 public:
  WicHost(World& world, Network& network, EdgeHost& edge, WicSettings settings);
  ~WicHost() override;
  WicHost(const WicHost&) = delete;
  WicHost& operator=(const WicHost&) = delete;

  void connect();  // anew; the former connection, if any, is cut, and the edge learns of it late
  void leave();    // closes the connection and does not come back
  void lose_connection(Duration edge_learns);
  void start();  // connects first where it is not
  void stop();
  // The page is loaded again: another instance of the same user, or whatever the settings say.
  void reload(client::WicAgentSettings agent);
  client::CallId call(std::string_view callee);
  void hang_up();  // all calls
  // Over the connection as it stands, whatever it is.
  void send_raw(std::string text);

  // A TURN client with the newest credentials; false: there are none.
  bool allocate();
  [[nodiscard]] ClientHost* turn() { return turn_.get(); }

  void on_web_socket_message(WebSocket& socket, std::string_view text) override;
  void on_web_socket_closed(WebSocket& socket) override;

  [[nodiscard]] bool is_registered() const { return agent_.is_registered(); }
  [[nodiscard]] bool is_connected() const { return socket_ != nullptr; }
  [[nodiscard]] const WicSettings& settings() const { return settings_; }
  [[nodiscard]] std::size_t call_count() const { return agent_.call_count(); }

  // Of the whole life.
  std::vector<client::WicRegistered> registered;
  std::vector<client::WicRefused> refused;
  std::vector<client::CallEnded> ended;
  std::size_t unregistered = 0, answered = 0, confirmed = 0, closed_by_edge = 0;
  std::vector<std::string> heard;  // the last messages

 private:
  void turn_agent(const std::function<void(Now)>& input);
  void obey(client::WicEffect effect);
  void drop_turn();

  World* world_;
  Network* network_;
  EdgeHost* edge_;
  WicSettings settings_;
  SeededRandom random_;
  client::WicAgent agent_;
  Alarm alarm_;
  Alarm return_;
  std::shared_ptr<WebSocket> socket_;
  std::vector<client::CallId> calls_;
  std::unique_ptr<ClientHost> turn_;
};

}  // namespace turnpike::sim
