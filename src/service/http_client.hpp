#pragma once
// A small HTTP/1.1 client (RFC 9110, RFC 9112) on the loop of its owner: https with the other side's
// certificate checked, plain http to loopback alone, connections that are kept alive, a deadline and a size
// for each exchange. Redirects are not followed.
//
// All calls and all answers happen on the one thread that runs the loop.

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): the name that Asio has
}

namespace turnpike::service {

struct HttpClientSettings {
  std::string ca_file{};           // PEM: who may vouch for the other side; empty: the system's authorities
  std::string certificate_file{};  // PEM, with its chain: what we show of ourselves; empty: nothing
  std::string key_file{};          // PEM: belongs to certificate_file
  std::chrono::milliseconds deadline{5000};   // from send() to the answer, a wait for a connection included
  std::chrono::milliseconds idle_max{30000};  // how long a connection waits for its next request
  std::size_t response_bytes_max = std::size_t{256} * 1024;  // of the body
  std::size_t connections_max = 8;                           // at a time, per origin
  std::size_t waiting_max = 1024;  // requests that wait for a connection, per origin; more are refused
};

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url{};
  HttpFields fields{};  // Host and Content-Length are made
  std::string body{};
  // Whether it may be sent again on a new connection where a kept one broke before an answer. RFC 9110
  // section 9.2.2: true of GET, PUT and DELETE anyway.
  bool is_repeatable = false;
};

struct HttpResponse {
  unsigned status = 0;
  HttpFields fields{};
  std::string body{};
  // The first field of this name, whatever its case.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
};

// Any status is a response; a sentence for the log where there is none. It repeats nothing of the request but
// its origin.
using HttpAnswer = std::expected<HttpResponse, std::string>;

class HttpClient {
 public:
  // A sentence where a file cannot be used.
  static std::expected<std::unique_ptr<HttpClient>, std::string> make(boost::asio::io_context& loop,
                                                                      const HttpClientSettings& settings);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  // Requests that are under way end without an answer.
  ~HttpClient();

  // `on_answer` is called exactly once, later, from the loop.
  void send(HttpRequest request, std::function<void(HttpAnswer)> on_answer);

 private:
  class Core;
  explicit HttpClient(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;
};

}  // namespace turnpike::service
