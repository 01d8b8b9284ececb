#pragma once
// Requests and answers of HTTP as values: what the WAF decides on, without sockets. The front door fills a
// Request in and sends the Response, to the letter.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.hpp"

namespace turnpike::waf {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method = "GET";
  std::string path{};   // as it was sent, without the query: "/token"
  std::string query{};  // as it was sent, without "?"
  Fields fields{};      // all of them; names in any case
  std::string body{};
  IpAddress remote{};
  // DNS and URI names of the client certificate that was verified, and its common name; empty without one.
  std::vector<std::string> certificate_names{};

  // The first field of this name, whatever its case.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> find_cookie(std::string_view name) const;
};

struct Response {
  unsigned status = 200;
  Fields fields{};
  std::string body{};

  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace turnpike::waf
