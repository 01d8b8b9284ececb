#include "client/loopback_listener.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

#include "base/native_address.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Browser {
 public:
  explicit Browser(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const NativeAddress to{*SocketAddress::parse("127.0.0.1:" + std::to_string(port))};
    EXPECT_EQ(::connect(descriptor_, &to.any, to.size), 0);
  }
  ~Browser() { ::close(descriptor_); }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;
  void say(std::string_view text) { ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL); }
  // All that comes until the other side is done.
  std::string hear() {
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
      const auto size = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
      if (size <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  int descriptor_;
};

bool is_done(const std::string& target) { return target == "/done?code=c"; }

TEST(LoopbackListener, TakesTheRequestThatIsWanted) {
  auto listener = LoopbackListener::open("127.0.0.1");
  ASSERT_TRUE(listener) << listener.error();
  std::string favicon, post, junk, done;
  std::thread browser{[&, port = listener->port()] {
    const auto ask = [&](std::string_view text) {
      Browser one{port};
      one.say(text);
      return one.hear();
    };
    favicon = ask("GET /favicon.ico HTTP/1.1\r\n\r\n");
    post = ask("POST /done?code=c HTTP/1.1\r\n\r\n");
    junk = ask("\x16\x03\x01 junk\r\n\r\n");
    Browser slow{port};
    slow.say("GET /done?code=c HT");
    slow.say("TP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    done = slow.hear();
  }};
  const auto target = listener->wait(is_done, seconds{20});
  browser.join();
  EXPECT_EQ(target, "/done?code=c");
  for (const std::string& other : {favicon, post, junk})
    EXPECT_TRUE(other.starts_with("HTTP/1.1 404")) << other;
  EXPECT_TRUE(done.starts_with("HTTP/1.1 200 OK")) << done;
  EXPECT_NE(done.find("Thank you"), std::string::npos);
}

TEST(LoopbackListener, IsNotHeldUpByThoseWhoSayNothing) {
  auto listener = LoopbackListener::open("127.0.0.1");
  ASSERT_TRUE(listener);
  std::thread crowd{[port = listener->port()] {
    std::vector<std::unique_ptr<Browser>> silent;
    for (int i = 0; i < 40; ++i) silent.push_back(std::make_unique<Browser>(port));
    Browser loud{port};
    loud.say(std::string(20'000, 'x'));
    loud.hear();
    Browser real{port};
    real.say("GET /done?code=c HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(real.hear().starts_with("HTTP/1.1 200"));
  }};
  EXPECT_TRUE(listener->wait(is_done, seconds{20}));
  crowd.join();
}

TEST(LoopbackListener, EndsWithItsTimeOrWhenItIsInterrupted) {
  auto listener = LoopbackListener::open("::1");
  ASSERT_TRUE(listener);
  EXPECT_FALSE(listener->wait(is_done, milliseconds{10}));
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  EXPECT_FALSE(listener->wait(is_done, seconds{20}, ends[0]));
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_FALSE(LoopbackListener::open("localhost"));
}

}  // namespace
}  // namespace turnpike::client
