#pragma once
// The JSON of the interface between issuers and relays (docs/credential-interface.md), for both of its ends.
// Keys travel in it, passwords never do.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "credentials/change.hpp"

namespace turnpike::service {

// The number of a change within its issuer's stream. A stream begins anew with its issuer.
struct StreamPosition {
  std::string stream{};  // 1 to 64 letters, digits, "-" or "_"
  std::uint64_t sequence = 0;
  bool operator==(const StreamPosition&) const = default;
};
bool is_stream_name(std::string_view text);

struct ChangeBatch {
  std::optional<StreamPosition> first{};  // of the first change; the others follow
  std::vector<credentials::Change> changes{};
};
struct FullState {
  StreamPosition position{};  // as it was after this change
  bool keeps_others = false;  // what the issuer does not name stays
  std::vector<credentials::PushedCredential> credentials{};
  std::vector<credentials::Revocation> revocations{};
};
struct BatchAnswer {
  std::uint64_t sequence = 0;  // of the last change that was taken
  std::vector<credentials::ChangeResult> results{};
  std::vector<credentials::ChangeResult>
      revocations{};  // of a full state, whose results are its credentials'
};
struct RelayHealth {
  bool is_draining = false;
  std::string realm{};
  std::uint64_t allocations = 0;
  std::uint64_t allocations_max = 0;
  std::uint64_t credentials = 0;
  std::uint64_t credentials_max = 0;
  std::optional<StreamPosition> position{};  // of the issuer that asks
  bool operator==(const RelayHealth&) const = default;
};

// Errors are one sentence for the log, which repeats no key.
template <typename Value>
using Read = std::expected<Value, std::string>;

std::string format_credential(const credentials::PushedCredential& credential);
Read<credentials::PushedCredential> parse_credential(std::string_view json, std::string_view username);
Read<credentials::Extension> parse_extension(std::string_view json, std::string_view username);

std::string format_batch(const ChangeBatch& batch);
Read<ChangeBatch> parse_batch(std::string_view json);
std::string format_state(const FullState& state);
Read<FullState> parse_state(std::string_view json);

std::string format_batch_answer(const BatchAnswer& answer);
Read<BatchAnswer> parse_batch_answer(std::string_view json);
std::string format_entries(const std::vector<credentials::PushedEntry>& entries);
std::string format_health(const RelayHealth& health);
Read<RelayHealth> parse_health(std::string_view json);
// {"error":"...","sequence":n}
std::string format_problem(std::string_view error, std::optional<std::uint64_t> sequence = {});

std::optional<credentials::Revocation::By> find_revocation_kind(std::string_view name);
std::string_view to_string(credentials::Revocation::By by);  // "username", "subject", "kid", "token_hash"

}  // namespace turnpike::service
