#pragma once
// Who is registered, over which connection, until when: the table behind registrations and calls.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "epcscf/effects.hpp"

namespace turnpike::epcscf {

enum class RegistrationId : std::uint64_t {};

// One binding (RFC 5626 section 6): the same device that registers again replaces itself.
struct RegistrationKey {
  std::string impi{};
  std::string aor{};       // the To of its REGISTER, canonical
  std::string instance{};  // +sip.instance, or the Contact's URI where there is none
  std::string reg_id{};
  auto operator<=>(const RegistrationKey&) const = default;
};

struct Registration {
  RegistrationId id{};
  RegistrationKey key{};
  FlowId flow{};
  bool is_connected = true;
  std::vector<std::string> impus{};           // canonical; the first is the default identity
  std::vector<std::string> impu_uris{};       // the same as the core wrote them
  std::string contact{};                      // its URI
  std::vector<std::string> service_routes{};  // name-addrs
  std::string salt{};
  std::string subject{};
  Instant expires_at{};
  std::optional<Instant> given_up_at{};  // the connection is lost, and the grace ends
  bool is_ended_by_token = false;        // expires_at is the token's end
  std::string token{};                   // make_token_key() of the one that it rests on; empty: none
  bool is_pool_identity = false;
  std::optional<WallTime> credentials_until{};  // the last of those that were made ends
  std::optional<WallTime> last_end{};           // of the newest computed credential

  [[nodiscard]] bool has_identity(std::string_view canonical) const;
  [[nodiscard]] Instant ends_at() const {
    return given_up_at && *given_up_at < expires_at ? *given_up_at : expires_at;
  }
};

class Registrations {
 public:
  [[nodiscard]] Registration* find(RegistrationId id);
  [[nodiscard]] Registration* find(const RegistrationKey& key);
  [[nodiscard]] std::vector<RegistrationId> of_flow(FlowId flow) const;
  [[nodiscard]] std::vector<RegistrationId> of_impi(std::string_view impi) const;
  // Those whose AoR or whose set names the identity.
  [[nodiscard]] std::vector<RegistrationId> of_identity(std::string_view canonical) const;
  [[nodiscard]] std::vector<RegistrationId> of_token(const std::string& key) const;
  [[nodiscard]] bool has_flow(FlowId flow) const { return by_flow_.contains(flow); }
  [[nodiscard]] std::size_t count_of_flow(FlowId flow) const;
  [[nodiscard]] std::size_t count_of_impi(std::string_view impi) const;

  Registration& add(RegistrationKey key, FlowId flow);
  void move(Registration& registration, FlowId to);
  // After a change of what ends it, or of its identities.
  void set_end(Registration& registration, Instant expires_at, std::optional<Instant> given_up_at);
  void set_identities(Registration& registration, std::vector<std::string> uris);
  void set_token(Registration& registration, std::string key);
  void remove(RegistrationId id);

  // The connection that a device of a lost one has come back on.
  [[nodiscard]] std::optional<FlowId> find_successor(FlowId lost) const;
  [[nodiscard]] std::vector<FlowId> former_flows(RegistrationId id) const;

  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] std::optional<RegistrationId> find_due(Instant now) const;
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }
  [[nodiscard]] const std::map<RegistrationId, Registration>& all() const { return by_id_; }

 private:
  static constexpr std::size_t former_flows_max = 4;

  void index_identities(const Registration& registration);
  void unindex_identities(const Registration& registration);
  void unindex_token(const Registration& registration);

  std::map<RegistrationId, Registration> by_id_;
  std::map<RegistrationKey, RegistrationId> by_key_;
  std::multimap<std::string, RegistrationId, std::less<>> by_identity_;
  std::unordered_multimap<FlowId, RegistrationId> by_flow_;
  std::unordered_multimap<std::string, RegistrationId> by_token_;
  std::set<std::pair<Instant, RegistrationId>> ends_;
  std::unordered_map<FlowId, FlowId> successors_;
  std::map<RegistrationId, std::vector<FlowId>> former_flows_;  // of those that have moved
  std::uint64_t last_id_ = 0;
};

}  // namespace turnpike::epcscf
