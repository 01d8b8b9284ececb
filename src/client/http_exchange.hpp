#pragma once
// One HTTP/1.1 exchange (RFC 9110, RFC 9112) on a connection of its own: https with the other side's
// certificate checked, plain http to this machine alone. It blocks until the answer is there or the time is
// over. Redirects are not followed. Boost.Beast stays in the .cpp.

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http_url.hpp"
#include "client/tls_trust.hpp"

namespace turnpike::client {

struct HttpExchangeSettings {
  TlsTrust trust{};
  std::chrono::milliseconds timeout{10000};  // of all of it
  std::size_t body_bytes_max = std::size_t{256} * 1024;
};

struct HttpAsk {
  std::string method = "GET";
  HttpUrl url{};
  std::vector<std::pair<std::string, std::string>> fields{};
  std::string body{};
};

struct HttpReply {
  unsigned status = 0;
  std::vector<std::pair<std::string, std::string>> fields{};
  std::string body{};
  // The first field of this name, whatever its case.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
};

struct HttpFailure {  // why there is no answer: a clause, and what to do about it. Neither repeats a secret.
  std::string found{};
  std::string advice{};
};

std::expected<HttpReply, HttpFailure> exchange(const HttpAsk& ask, const HttpExchangeSettings& settings);

}  // namespace turnpike::client
