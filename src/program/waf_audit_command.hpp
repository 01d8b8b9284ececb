#pragma once
// turnpike waf audit: who has logged in, failed, was locked out, got and lost tokens, and what operators did.

#include <cstdint>
#include <optional>
#include <string>

#include "program/answer.hpp"
#include "program/options.hpp"
#include "program/waf_accounts.hpp"

namespace turnpike::program {

struct AuditOptions {
  std::uint64_t count = 100;  // the newest ones that match
  std::optional<std::string> event{}, user{}, client{}, remote{};
  std::optional<std::string> since{}, until{};  // "2026-11-27" or "2026-11-27T16:00:00Z"
  bool as_json = false;
};
// The oldest first.
Answer list_audit(WafAccounts& accounts, const AuditOptions& options);

void add_audit_command(Command& waf);

}  // namespace turnpike::program
