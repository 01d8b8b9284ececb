#pragma once
// The administrator's end of a server: a Unix socket that its owner alone may open, on which one line of JSON
// is answered with one line of JSON.

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.hpp"

namespace turnpike::program {

class AdminSocket {
 public:
  static constexpr std::size_t connections_max = 16;
  static constexpr std::size_t request_bytes_max = std::size_t{64} * 1024;

  // A socket that nobody answers on any more is replaced. The error is one line: another server is there, or
  // the path is something else.
  static std::expected<AdminSocket, std::string> open(const std::string& path);
  AdminSocket(AdminSocket&& other) noexcept;
  AdminSocket& operator=(AdminSocket&& other) = delete;
  ~AdminSocket();  // closes everything and removes the path

  // Adds what to wait for; then hand the same entries back, filled in by poll.
  void append_polls(std::vector<pollfd>& polls) const;
  void on_polled(const std::vector<pollfd>& polls, FunctionRef<std::string(std::string_view request)> answer);

 private:
  struct Connection {
    int descriptor = -1;
    std::string unread{};
  };
  AdminSocket(std::string path, int listener) : path_(std::move(path)), listener_(listener) {}
  void accept_one();
  // False: the connection is over.
  static bool serve(Connection& connection, FunctionRef<std::string(std::string_view request)> answer);

  std::string path_;
  int listener_ = -1;
  std::vector<Connection> connections_{};
};

// One request and its answer, from the other end. The error is one line for the administrator.
enum class AskFailure : std::uint8_t { nobody_there, no_answer, refused };
struct AskError {
  AskFailure failure{};
  std::string words;
};
std::expected<std::string, AskError> ask_admin_socket(const std::string& path, std::string_view request);

}  // namespace turnpike::program
