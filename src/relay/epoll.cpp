#include "relay/epoll.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace turnpike::relay {
namespace {

std::error_code last_error() { return {errno, std::generic_category()}; }

// Rounded up, so that what is due at the end of the wait is due when the wait has ended.
int to_milliseconds(Duration at_most) {
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  return static_cast<int>(std::clamp<std::int64_t>(milliseconds, 0, std::numeric_limits<int>::max()));
}

}  // namespace

Result<Epoll> Epoll::open() {
  FileDescriptor descriptor{epoll_create1(EPOLL_CLOEXEC)};
  if (!descriptor.is_open()) return std::unexpected(last_error());
  return Epoll{std::move(descriptor)};
}

Result<void> Epoll::add(int fd, std::uint64_t key) const {
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = key}};
  if (epoll_ctl(descriptor_.value(), EPOLL_CTL_ADD, fd, &event) != 0) return std::unexpected(last_error());
  return {};
}

std::span<const epoll_event> Epoll::wait(Duration at_most) {
  const int count = epoll_wait(descriptor_.value(), events_.data(), events_max, to_milliseconds(at_most));
  return {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
}

}  // namespace turnpike::relay
