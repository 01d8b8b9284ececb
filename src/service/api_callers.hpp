#pragma once
// Who may ask the credential API for the credentials of others: web servers and edges, by an API key or by
// the name in a certificate.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rate_bucket.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "service/http_server.hpp"

namespace turnpike::service {

struct ApiCaller {
  std::string id{};                  // shown in logs and metrics
  Secret key{};                      // empty: by certificate
  std::string certificate{};         // a DNS or URI name, or a common name; "*": any that was verified
  std::vector<std::string> users{};  // those it may speak for, with stars for any text; empty: all
  std::optional<std::chrono::seconds> ttl_max{};
  std::uint32_t requests_per_second = 100;
};

inline constexpr std::size_t api_key_bytes_min = 16;

class ApiCallers {
 public:
  explicit ApiCallers(std::vector<ApiCaller> callers);

  struct Entry {
    ApiCaller caller;
    RateBucket requests{};
  };
  enum class Problem : std::uint8_t { nothing_shown, unknown_key, unknown_certificate };
  // By the key that the request shows, or else by its certificate. The time that it takes to know a key does
  // not depend on which bytes of it are right.
  std::expected<Entry*, Problem> find(const ServedRequest& request, bool allows_key_in_query);

  [[nodiscard]] bool has_keys() const;

 private:
  Entry* find_by_key(std::string_view id, std::string_view key);  // an empty id: any
  Entry* find_by_certificate(const HttpPeer& peer);

  std::vector<Entry> entries_;
};

bool may_speak_for(const ApiCaller& caller, std::string_view user);
bool may_speak_for_all(const ApiCaller& caller);

}  // namespace turnpike::service
