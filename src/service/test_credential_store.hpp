#pragma once
// For tests: a relay's tables without a relay.

#include <string>
#include <vector>

#include "base/check.hpp"
#include "credentials/deny_list.hpp"
#include "credentials/issue.hpp"
#include "service/credential_desk.hpp"

namespace turnpike::service {

class TableStore final : public CredentialStore {
 public:
  std::vector<credentials::ChangeResult> apply(const std::vector<credentials::Change>& changes) override {
    std::vector<credentials::ChangeResult> results;
    results.reserve(changes.size());
    for (const auto& change : changes)
      results.push_back(std::visit([this](const auto& what) { return obey(what); }, change));
    applied += changes.size();
    return results;
  }
  std::vector<credentials::PushedEntry> list(const std::string& subject) override {
    return table.list(subject);
  }
  RelayHealth health() override {
    RelayHealth shown = told;
    shown.credentials = table.size();
    return shown;
  }

  credentials::PushedTable table{"ims.example", 100'000};
  credentials::DenyList denied{};
  RelayHealth told{.realm = "ims.example", .allocations_max = 100, .credentials_max = 100'000};
  std::size_t applied = 0;

 private:
  credentials::ChangeResult obey(const credentials::PushedCredential& credential) {
    return {.outcome = table.put(credential, read_clocks().wall)};
  }
  credentials::ChangeResult obey(const credentials::Extension& extension) {
    return {.outcome = table.extend(extension.username, extension.expires_at)};
  }
  credentials::ChangeResult obey(const credentials::Revocation& revocation) {
    const bool has_room = denied.add(revocation, read_clocks().wall);
    return {.outcome = has_room ? credentials::PushOutcome::done : credentials::PushOutcome::full,
            .allocations_ended = table.revoke(revocation)};
  }
};

inline credentials::PushedCredential make_test_credential(const std::string& username,
                                                          const std::string& subject = "subject-a") {
  const WallTime end = std::chrono::floor<std::chrono::seconds>(read_clocks().wall) + std::chrono::hours{1};
  return credentials::make_pushed_credential(username, "a password", "ims.example", subject, end,
                                             {.allocations_max = 3});
}

}  // namespace turnpike::service
