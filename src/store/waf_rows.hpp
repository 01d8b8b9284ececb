#pragma once
// The tables of the WAF's database, and its rows as values. Rows are read with all their columns, in the
// order of the schema; a later version appends columns.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.hpp"
#include "waf/ledger.hpp"

namespace turnpike::store {

const Schema& waf_schema();

// Lists in one column: each item ends with a line end; "\" and line ends inside of one are escaped.
std::string pack(const std::vector<std::string>& items);
std::string pack(const waf::Scope& items);
std::vector<std::string> unpack(std::string_view text);
waf::Scope unpack_scope(std::string_view text);

std::string pack_secrets(const std::vector<waf::ClientSecret>& secrets);
std::string pack_grants(const waf::GrantTypes& grants);

waf::Client read_client(const Statement& row);
waf::User read_user(const Statement& row);
waf::Consent read_consent(const Statement& row);
waf::Session read_session(const Statement& row);

struct CodeRow {
  waf::Code code{};
  bool is_redeemed = false;
};
CodeRow read_code(const Statement& row);

struct FamilyRow {
  waf::Family family{};
  std::string refresh{};  // the digest; empty: none
  bool is_revoked = false;
};
FamilyRow read_family(const Statement& row);
waf::Issued read_issued(const Statement& row);
waf::AuditEntry read_audit_entry(const Statement& row);
std::string_view name_of(waf::IssuedKind kind);  // as a column has it
waf::Issued read_revoked(const Statement& row);

}  // namespace turnpike::store
