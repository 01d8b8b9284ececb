#pragma once
// Where a browser brings the answer of a login to a program on the same machine (RFC 8252 section 7.3): an
// HTTP server on a port of the loopback interface that takes one request and then is gone. Others on this
// machine may connect, too, so that what they send counts for nothing and cannot hold it up.

#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "base/function_ref.hpp"
#include "base/time.hpp"

namespace turnpike::client {

class LoopbackListener {
 public:
  // "127.0.0.1" or "::1", on a port that is free. The error is the kernel's sentence.
  static std::expected<LoopbackListener, std::string> open(const std::string& host);
  LoopbackListener(LoopbackListener&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), port_(other.port_) {}
  LoopbackListener& operator=(LoopbackListener&&) = delete;
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;
  ~LoopbackListener();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // The target ("/done?code=...") of the first GET that is wanted; its browser is shown a page that says so.
  // Nothing once the time is over, or `interrupt`, where it is a descriptor, can be read.
  std::optional<std::string> wait(FunctionRef<bool(const std::string& target)> is_wanted, Duration at_most,
                                  int interrupt = -1);

 private:
  LoopbackListener(int descriptor, std::uint16_t port) : descriptor_(descriptor), port_(port) {}
  int descriptor_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace turnpike::client
