#pragma once
// For tests: SIP endpoints on the loopback interface, each with a loop of its own, and what they heard.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/loop.hpp"
#include "service/sip_endpoint.hpp"
#include "service/test_notebook.hpp"

namespace turnpike::service::test {

using sip::Hop;
using sip::Transport;

inline SocketAddress local(std::uint16_t port = 0) { return {IpAddress::v4({127, 0, 0, 1}), port}; }
inline std::string make_message(std::string_view name, std::size_t body_size = 0) {
  return "OPTIONS sip:" + std::string{name} + " SIP/2.0\r\nContent-Length: " + std::to_string(body_size) +
         "\r\n\r\n" + std::string(body_size, 'b');
}

class Watcher final : public SipEndpointOwner, public TestNotebook {
 public:
  void on_sip_message(const Hop& from, std::string_view text) override {
    note([&] { messages_.emplace_back(from, text); });
  }
  void on_sip_failed(const Hop& to) override {
    note([&] { failed_.push_back(to); });
  }
  bool wait_for_messages(std::size_t count) {
    return wait([&] { return messages_.size() == count; });
  }
  bool wait_for_failure(const Hop& hop) {
    return wait([&] { return std::ranges::find(failed_, hop) != failed_.end(); });
  }
  auto messages() { return copy(messages_); }
  auto failed() { return copy(failed_); }

 private:
  std::vector<std::pair<Hop, std::string>> messages_;
  std::vector<Hop> failed_;
};

class RunningEndpoint {
 public:
  explicit RunningEndpoint(SipEndpointSettings settings = {}) {
    if (settings.listeners.empty())
      settings.listeners = {{Transport::udp, local()}, {Transport::tcp, local()}};
    auto opened = SipEndpoint::open(loop_, std::move(settings), watcher);
    EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error());
    endpoint_ = std::move(*opened);
    loop_.start("endpoint-test");
  }
  ~RunningEndpoint() { loop_.stop(); }

  [[nodiscard]] SocketAddress udp() const { return endpoint_->listeners()[0].address; }
  [[nodiscard]] SocketAddress tcp() const { return endpoint_->listeners()[1].address; }
  void send(const Hop& to, std::string bytes) {
    EXPECT_TRUE(loop_.ask([&] { endpoint_->send(to, std::move(bytes)); }));
  }
  // In one turn of the loop.
  void send_all(const Hop& to, std::vector<std::string> messages) {
    EXPECT_TRUE(loop_.ask([&] {
      for (std::string& bytes : messages) endpoint_->send(to, std::move(bytes));
    }));
  }
  void send_all_and_stop(const Hop& to, std::vector<std::string> messages) {
    EXPECT_TRUE(loop_.ask([&] {
      for (std::string& bytes : messages) endpoint_->send(to, std::move(bytes));
      endpoint_->stop();
    }));
  }
  void know(const std::vector<std::string>& hosts) {
    EXPECT_TRUE(loop_.ask([&] { endpoint_->know(hosts); }));
  }
  [[nodiscard]] const SipEndpointCounts& counts() const { return endpoint_->counts(); }
  void stop() {
    EXPECT_TRUE(loop_.ask([&] { endpoint_->stop(); }));
  }

  Watcher watcher;

 private:
  Loop loop_;
  std::unique_ptr<SipEndpoint> endpoint_;
};

}  // namespace turnpike::service::test
