#pragma once
// Everything an operator may set about the credential API, each with its default.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "epcscf/settings.hpp"
#include "provisioning/provisioner.hpp"
#include "service/api_callers.hpp"

namespace turnpike::service {

struct ApiLimits {
  std::uint32_t requests_per_second_per_source = 50;  // of those who have shown no key and no certificate
  std::uint32_t requests_per_minute_per_user = 60;
  std::size_t users_max = 100'000;   // whose credentials can be taken back by the name of the user
  std::size_t waiting_max = 10'000;  // requests that wait for a relay or a token's check
  bool operator==(const ApiLimits&) const = default;
};

struct ApiLife {
  std::chrono::seconds usual{3600};
  std::chrono::seconds min{60};
  std::chrono::seconds max{86400};
  bool operator==(const ApiLife&) const = default;
};

struct ApiSettings {
  std::vector<ApiCaller> callers{};
  bool allows_key_in_query = false;    // "?key=": where a query is logged, so is the key
  bool takes_tokens = false;           // of users, for themselves
  epcscf::BearerSettings bearer{};     // whose
  std::vector<std::string> origins{};  // of pages that may ask; "*": all
  provisioning::Settings provisioning{};
  ApiLife life{};
  std::chrono::milliseconds push_patience{500};
  std::chrono::milliseconds withdraw_patience{1000};
  ApiLimits limits{};
};

}  // namespace turnpike::service
