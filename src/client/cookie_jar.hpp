#pragma once
// The cookies of one login (RFC 6265 section 5): kept by host alone, whatever their Domain says, so that no
// host sees another one's. They end with the login.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/http_url.hpp"

namespace turnpike::client {

struct CookieLimits {
  std::size_t cookies_max = 50;
  std::size_t cookie_bytes_max = 4096;  // name and value; larger ones are not kept
};

class CookieJar {
 public:
  explicit CookieJar(CookieLimits limits = {}) : limits_(limits) {}

  // The value of a Set-Cookie field of an answer from there.
  void take(const HttpUrl& from, std::string_view set_cookie);
  // The value of the Cookie field of a request to there; empty where there is none.
  [[nodiscard]] std::string find(const HttpUrl& to) const;

 private:
  struct Cookie {
    std::string host{};
    std::string name{};
    std::string value{};
    std::string path = "/";
    bool is_secure = false;
  };
  CookieLimits limits_;
  std::vector<Cookie> cookies_{};
};

}  // namespace turnpike::client
