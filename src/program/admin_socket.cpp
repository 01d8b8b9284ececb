#include "program/admin_socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

namespace turnpike::program {
namespace {

constexpr timeval answer_timeout{.tv_sec = 10, .tv_usec = 0};
constexpr timeval send_timeout{.tv_sec = 2, .tv_usec = 0};

std::string error_text(int reason) { return std::generic_category().message(reason); }

std::optional<sockaddr_un> make_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

int open_socket(int flags) { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0); }

// 0: somebody answers there.
int try_connect(const sockaddr_un& address) {
  const int descriptor = open_socket(0);
  if (descriptor < 0) return errno;
  const int result = ::connect(descriptor, as_sockaddr(address), sizeof address) == 0 ? 0 : errno;
  ::close(descriptor);
  return result;
}

// Removes what a server that is no more has left behind.
std::expected<void, std::string> make_room(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return std::unexpected(fmt::format("the admin socket {}: something else is there", path));
  if (try_connect(address) == 0)
    return std::unexpected(fmt::format("the admin socket {}: another server answers on it", path));
  if (::unlink(path.c_str()) == 0) return {};
  return std::unexpected(
      fmt::format("the admin socket {} of an earlier server cannot be removed: {}", path, error_text(errno)));
}

bool send_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::optional<std::string> read_line(int descriptor) {
  std::string line;
  std::array<char, 4096> part{};
  while (!line.ends_with('\n')) {
    const ssize_t size = ::recv(descriptor, part.data(), part.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return std::nullopt;
    line.append(part.data(), static_cast<std::size_t>(size));
  }
  line.pop_back();
  return line;
}

}  // namespace

std::expected<AdminSocket, std::string> AdminSocket::open(const std::string& path) {
  const auto address = make_address(path);
  if (!address) return std::unexpected(fmt::format("the admin socket {}: the path is too long", path));
  if (const auto room = make_room(path, *address); !room) return std::unexpected(room.error());
  const int listener = open_socket(SOCK_NONBLOCK);
  if (listener < 0) return std::unexpected(fmt::format("the admin socket {}: {}", path, error_text(errno)));
  AdminSocket socket{path, listener};
  // The mode has to be right from the first moment: who can open the socket may read and change everything.
  const mode_t before = ::umask(S_IXUSR | S_IRWXG | S_IRWXO);
  const bool is_bound = ::bind(listener, as_sockaddr(*address), sizeof *address) == 0;
  const int reason = errno;
  ::umask(before);
  if (!is_bound) {
    socket.path_.clear();
    return std::unexpected(fmt::format("the admin socket {} cannot be opened: {}", path, error_text(reason)));
  }
  if (::listen(listener, connections_max) != 0)
    return std::unexpected(fmt::format("the admin socket {}: {}", path, error_text(errno)));
  return socket;
}

AdminSocket::AdminSocket(AdminSocket&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      listener_(std::exchange(other.listener_, -1)),
      connections_(std::exchange(other.connections_, {})) {}

AdminSocket::~AdminSocket() {
  for (const Connection& connection : connections_) ::close(connection.descriptor);
  if (listener_ >= 0) ::close(listener_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

void AdminSocket::append_polls(std::vector<pollfd>& polls) const {
  polls.push_back({listener_, POLLIN, 0});
  for (const Connection& connection : connections_) polls.push_back({connection.descriptor, POLLIN, 0});
}

void AdminSocket::on_polled(const std::vector<pollfd>& polls,
                            FunctionRef<std::string(std::string_view)> answer) {
  const auto is_ready = [&](int descriptor) {
    return std::ranges::any_of(
        polls, [&](const pollfd& poll) { return poll.fd == descriptor && poll.revents != 0; });
  };
  std::erase_if(connections_, [&](Connection& connection) {
    if (!is_ready(connection.descriptor) || serve(connection, answer)) return false;
    ::close(connection.descriptor);
    return true;
  });
  if (is_ready(listener_)) accept_one();
}

void AdminSocket::accept_one() {
  const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (descriptor < 0) return;
  // An administrator who does not read must not hold the server up.
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &send_timeout, sizeof send_timeout);
  if (connections_.size() >= connections_max) {  // whoever has been idle for longest
    ::close(connections_.front().descriptor);
    connections_.erase(connections_.begin());
  }
  connections_.push_back({descriptor});
}

bool AdminSocket::serve(Connection& connection, FunctionRef<std::string(std::string_view)> answer) {
  std::array<char, 4096> part{};
  const ssize_t size = ::recv(connection.descriptor, part.data(), part.size(), MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  connection.unread.append(part.data(), static_cast<std::size_t>(size));
  for (auto end = connection.unread.find('\n'); end != std::string::npos;
       end = connection.unread.find('\n')) {
    const std::string reply = answer(std::string_view{connection.unread}.substr(0, end)) + '\n';
    connection.unread.erase(0, end + 1);
    if (!send_all(connection.descriptor, reply)) return false;
  }
  return connection.unread.size() <= request_bytes_max;
}

std::expected<std::string, AskError> ask_admin_socket(const std::string& path, std::string_view request) {
  const auto nobody = [&](const std::string& why) {
    return std::unexpected(
        AskError{AskFailure::nobody_there, fmt::format("no server answers on {}: {}", path, why)});
  };
  const auto address = make_address(path);
  if (!address) return nobody("the path is too long");
  const int descriptor = open_socket(0);
  if (descriptor < 0) return nobody(error_text(errno));
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &answer_timeout, sizeof answer_timeout);
  if (::connect(descriptor, as_sockaddr(*address), sizeof *address) != 0) {
    const int reason = errno;
    ::close(descriptor);
    return nobody(error_text(reason));
  }
  std::optional<std::string> reply;
  if (send_all(descriptor, std::string{request} + '\n')) reply = read_line(descriptor);
  ::close(descriptor);
  if (reply) return std::move(*reply);
  return std::unexpected(
      AskError{AskFailure::no_answer, fmt::format("the server on {} gave no answer", path)});
}

}  // namespace turnpike::program
