#pragma once
// For tests: a relay on the loopback interface with the user alice, and clients of it.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "credentials/issue.hpp"
#include "relay/server.hpp"
#include "relay/test_socket.hpp"
#include "turn/client.hpp"

namespace turnpike::relay {

inline constexpr std::string_view test_realm = "relay.test";

inline turn::ClientCredential password_of(std::string username, std::string_view password) {
  return turn::PasswordCredential{.username = std::move(username), .password = Secret::from_text(password)};
}
inline turn::ClientCredential alice() { return password_of("alice", "wonderland"); }

inline credentials::RegistrySettings test_credentials(
    const std::vector<std::pair<std::string, std::string>>& users) {
  credentials::RegistrySettings settings;
  settings.realm = test_realm;
  settings.static_users.emplace();
  for (const auto& [name, password] : users) settings.static_users->users[name] = Secret::from_text(password);
  settings.pushed.emplace();
  return settings;
}

inline ServerSettings test_settings(unsigned shards = 1) {
  ServerSettings settings;
  settings.turn.listeners = {address("127.0.0.1:0"), address("[::1]:0")};
  for (const char* text : {"127.0.0.1", "::1"}) {
    const IpAddress ip = *IpAddress::parse(text);
    settings.turn.relay_addresses.push_back({.bind = ip, .advertised = ip});
  }
  settings.turn.relay_port_min = 12000;  // not among the ephemeral ports, from which the other sockets come
  settings.turn.relay_port_max = 31999;
  settings.turn.peers.allow = {*IpPrefix::parse("127.0.0.0/8"), *IpPrefix::parse("::1/128")};
  settings.turn.limits.allocations_per_subject = 1000;
  settings.turn.limits.allocations_total = 1000;
  settings.credentials = test_credentials({{"alice", "wonderland"}});
  settings.shards = shards;
  return settings;
}

// The relay closes its own addresses to peers, but for its relay ports.
struct TestPeer : TestSocket {
  explicit TestPeer(std::string_view local = "127.0.0.2:0") : TestSocket(local) {}
};
inline std::string free_v6_relay_port() {
  SocketAddress candidate = address("[::1]:12000");
  while (!claim_address(candidate)) ++candidate.port;
  return candidate.to_string();
}

class TestObserver final : public Observer {
 public:
  void on_report(const turn::Report& report, Now /*now*/) override {
    const std::scoped_lock lock{mutex_};
    reports_.push_back(report);
    told_.notify_all();
  }
  template <typename Kind>
  std::size_t count() {
    const std::scoped_lock lock{mutex_};
    return count_locked<Kind>();
  }
  template <typename Kind>
  bool wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    return told_.wait_for(lock, std::chrono::seconds{5}, [&] { return count_locked<Kind>() >= count; });
  }
  std::vector<turn::EndReason> end_reasons() {
    const std::scoped_lock lock{mutex_};
    std::vector<turn::EndReason> reasons;
    for (const auto& report : reports_)
      if (const auto* ended = std::get_if<turn::AllocationEnded>(&report)) reasons.push_back(ended->reason);
    return reasons;
  }

 private:
  template <typename Kind>
  [[nodiscard]] std::size_t count_locked() const {
    std::size_t count = 0;
    for (const auto& report : reports_) count += std::holds_alternative<Kind>(report) ? 1 : 0;
    return count;
  }
  std::mutex mutex_;
  std::condition_variable told_;
  std::vector<turn::Report> reports_;
};

struct TestRelay {
  explicit TestRelay(ServerSettings settings = test_settings()) {
    auto started = Server::start(std::move(settings), observer);
    check(started.has_value(), started ? "" : started.error().c_str());
    server = std::move(*started);
  }
  [[nodiscard]] SocketAddress v4() const { return server->listeners()[0]; }
  [[nodiscard]] SocketAddress v6() const { return server->listeners()[1]; }

  TestObserver observer;
  std::unique_ptr<Server> server;
};

// turn::Client with a socket; every wait has a deadline.
class TestClient {
 public:
  explicit TestClient(const SocketAddress& server, turn::ClientSettings settings = {.credential = alice()})
      : server_(server),
        socket_(server.ip.is_v4() ? "127.0.0.1:0" : "[::1]:0"),
        client_(std::move(settings), random_) {}
  TestClient(const SocketAddress& server, turn::ClientCredential credential)
      : TestClient(server, turn::ClientSettings{.credential = std::move(credential)}) {}

  bool allocate() {
    client_.start(read_clocks());
    const auto allocated = wait_for<turn::Allocated>();
    if (allocated) relayed_ = allocated->relayed.front();
    return allocated.has_value();
  }
  std::uint16_t bind(const SocketAddress& peer) {
    const auto channel = client_.bind_channel(peer, read_clocks());
    check(wait_for<turn::ChannelBound>().has_value(), "no channel in a test");
    return channel;
  }
  void permit(const SocketAddress& peer) {
    client_.permit({peer}, read_clocks());
    check(wait_for<turn::Permitted>().has_value(), "no permission in a test");
  }
  void send(const SocketAddress& peer, std::string_view text) {
    client_.send(peer, as_bytes(text), read_clocks());
    drain();
  }
  std::string receive_text() {
    const auto received = wait_for<turn::Received>();
    return received ? std::string{as_text(received->payload)} : "nothing came";
  }

  // Waits for such an effect; nothing: the deadline has passed, or the client has failed before.
  template <typename Kind>
  std::optional<Kind> wait_for() {
    const auto deadline = read_clocks().mono + std::chrono::milliseconds{TestSocket::deadline_ms};
    while (true) {
      drain();
      while (!effects_.empty()) {
        turn::ClientEffect effect = std::move(effects_.front());
        effects_.pop_front();
        if (auto* failed = std::get_if<turn::Failed>(&effect)) failure_ = failed->failure;
        if (auto* wanted = std::get_if<Kind>(&effect)) return std::move(*wanted);
        if (std::holds_alternative<turn::Failed>(effect)) return std::nullopt;
      }
      if (read_clocks().mono > deadline) return std::nullopt;
      if (const auto datagram = socket_.receive(50))
        client_.on_datagram(as_bytes(datagram->text), read_clocks());
      client_.on_timeout(read_clocks());
    }
  }
  [[nodiscard]] std::uint16_t refusal() const { return failure_ ? failure_->code : 0; }
  turn::Client& machine() { return client_; }
  [[nodiscard]] const TestSocket& socket() const { return socket_; }
  [[nodiscard]] SocketAddress server() const { return server_; }
  [[nodiscard]] SocketAddress relayed() const { return relayed_; }

 private:
  void drain() {
    while (auto effect = client_.next_effect()) {
      if (const auto* send = std::get_if<turn::ClientSend>(&*effect))
        socket_.send_to(server_, as_text(send->bytes));
      else if (!std::holds_alternative<turn::Traced>(*effect))
        effects_.push_back(std::move(*effect));
    }
  }
  SystemRandom random_;
  SocketAddress server_;
  TestSocket socket_;
  turn::Client client_;
  SocketAddress relayed_;
  std::deque<turn::ClientEffect> effects_;
  std::optional<turn::ClientFailure> failure_;
};

}  // namespace turnpike::relay
