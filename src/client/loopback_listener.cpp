#include "client/loopback_listener.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "base/address.hpp"
#include "base/native_address.hpp"

namespace turnpike::client {
namespace {

constexpr std::size_t visitors_max = 16;          // at a time; then the oldest one goes
constexpr std::size_t request_bytes_max = 16384;  // until the end of its header
constexpr int backlog = 16;

std::string last_error() { return std::error_code{errno, std::generic_category()}.message(); }

std::string make_answer(std::string_view status, std::string_view heading, std::string_view words) {
  const std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{0}</title></head>\n"
      "<body><h1>{0}</h1>\n<p>{1}</p></body>\n</html>\n",
      heading, words);
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n"
      "Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'\r\nReferrer-Policy: "
      "no-referrer\r\n\r\n{}",
      status, page.size(), page);
}

std::string make_thanks() {
  return make_answer("200 OK", "Thank you", "You may close this page and go back to the terminal.");
}
std::string make_refusal() {
  return make_answer("404 Not Found", "Not here", "This is not what turnpike waits for.");
}

class Visitor {
 public:
  explicit Visitor(int descriptor) : descriptor_(descriptor) {}
  Visitor(Visitor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), text_(std::move(other.text_)) {}
  Visitor& operator=(Visitor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(text_, other.text_);
    return *this;
  }
  ~Visitor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  enum class State : std::uint8_t { waits, has_asked, is_gone };
  State read() {
    std::array<char, 4096> buffer{};
    const auto size = ::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR ? State::waits : State::is_gone;
    if (size == 0) return State::is_gone;
    text_.append(buffer.data(), static_cast<std::size_t>(size));
    if (text_.find("\r\n\r\n") != std::string::npos) return State::has_asked;
    return text_.size() > request_bytes_max ? State::is_gone : State::waits;
  }
  // "/done?code=..." of "GET /done?code=... HTTP/1.1".
  [[nodiscard]] std::optional<std::string> find_target() const {
    const std::string_view line = std::string_view{text_}.substr(0, text_.find("\r\n"));
    const auto end = line.rfind(" HTTP/1.");
    if (!line.starts_with("GET /") || end == std::string_view::npos || end < 4) return std::nullopt;
    return std::string{line.substr(4, end - 4)};
  }
  void answer(const std::string& text) const {
    // A page of less than a kilobyte fits into the socket's buffer; whoever does not read it misses it.
    static_cast<void>(::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    ::shutdown(descriptor_, SHUT_WR);
  }

 private:
  int descriptor_;
  std::string text_{};
};

class Reception {
 public:
  Reception(int listener, int interrupt) : listener_(listener), interrupt_(interrupt) {}
  using IsWanted = FunctionRef<bool(const std::string&)>;
  std::optional<std::string> wait(IsWanted is_wanted, Duration at_most);

 private:
  static constexpr std::size_t first_visitor = 2;  // behind the listener and what interrupts
  std::optional<std::string> serve(const std::vector<pollfd>& polled, IsWanted is_wanted);
  [[nodiscard]] std::vector<pollfd> descriptors() const {
    std::vector<pollfd> polled{{listener_, POLLIN, 0}, {interrupt_, POLLIN, 0}};
    for (const Visitor& visitor : visitors_) polled.push_back({visitor.descriptor(), POLLIN, 0});
    return polled;
  }
  void accept() {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0) return;
    if (visitors_.size() >= visitors_max) visitors_.erase(visitors_.begin());
    visitors_.emplace_back(descriptor);
  }

  int listener_;
  int interrupt_;
  std::vector<Visitor> visitors_{};
};

// What it was asked that is wanted, if it was; others are answered and forgotten.
std::optional<std::string> Reception::serve(const std::vector<pollfd>& polled, IsWanted is_wanted) {
  for (std::size_t i = polled.size(); i-- > first_visitor;) {
    if (polled[i].revents == 0) continue;
    const auto place = visitors_.begin() + static_cast<std::ptrdiff_t>(i - first_visitor);
    const auto state = place->read();
    if (state == Visitor::State::waits) continue;
    const auto target = state == Visitor::State::has_asked ? place->find_target() : std::nullopt;
    const bool is_it = target && is_wanted(*target);
    if (state == Visitor::State::has_asked) place->answer(is_it ? make_thanks() : make_refusal());
    if (is_it) return target;
    visitors_.erase(place);
  }
  return std::nullopt;
}

std::optional<std::string> Reception::wait(IsWanted is_wanted, Duration at_most) {
  const Instant deadline = read_clocks().mono + at_most;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - read_clocks().mono).count();
    if (left <= 0) return std::nullopt;
    auto polled = descriptors();
    if (::poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(left, 60'000))) < 0)
      continue;
    if (polled[1].revents != 0) return std::nullopt;
    if (auto target = serve(polled, is_wanted)) return target;
    if (polled[0].revents != 0) accept();
  }
}

}  // namespace

std::expected<LoopbackListener, std::string> LoopbackListener::open(const std::string& host) {
  const auto ip = IpAddress::parse(host);
  if (!ip) return std::unexpected(fmt::format("\"{}\" is no address", host));
  const int descriptor =
      ::socket(ip->is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return std::unexpected(last_error());
  LoopbackListener listener{descriptor, 0};
  const NativeAddress wanted{SocketAddress{*ip, 0}};
  if (::bind(descriptor, &wanted.any, wanted.size) != 0 || ::listen(descriptor, backlog) != 0)
    return std::unexpected(last_error());
  NativeAddress own;
  if (::getsockname(descriptor, &own.any, &own.size) != 0) return std::unexpected(last_error());
  listener.port_ = own.to_address().value_or(SocketAddress{}).port;
  return listener;
}

LoopbackListener::~LoopbackListener() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::string> LoopbackListener::wait(FunctionRef<bool(const std::string&)> is_wanted,
                                                  Duration at_most, int interrupt) {
  return Reception{descriptor_, interrupt}.wait(is_wanted, at_most);
}

}  // namespace turnpike::client
