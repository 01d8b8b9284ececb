#pragma once
// For tests: a WafLedger in a file of the test, and what is put into it.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "store/test_folder.hpp"
#include "store/waf_ledger.hpp"

namespace turnpike::store {

inline constexpr WallTime now{std::chrono::seconds{1'800'000'000}};
inline constexpr std::chrono::seconds minute{60}, hour{3600};
inline const Secret key{ByteVector(32, 7)}, other_key{ByteVector(32, 8)};

inline std::unique_ptr<WafLedger> open(const std::string& file, const WafLedgerLimits& limits = {},
                                       const Secret& with = key) {
  auto ledger = WafLedger::open(file, with, limits);
  check(ledger.has_value(), ledger ? "" : ledger.error().c_str());
  return *std::move(ledger);
}
inline std::string file_in(const Folder& folder) { return folder.file("waf.db"); }
inline std::unique_ptr<WafLedger> open(const Folder& folder, const WafLedgerLimits& limits = {}) {
  return open(file_in(folder), limits);
}
inline std::string open_error(const std::string& file, const Secret& with = key) {
  const auto ledger = WafLedger::open(file, with);
  return ledger ? "none" : ledger.error();
}
inline std::string failure(WafLedger& ledger) { return ledger.take_failure().value_or("none"); }

inline waf::Family family(std::string id) {
  return {.id = std::move(id), .client = "wic", .user = "u1", .ends_at = now + hour};
}
inline bool open_family(WafLedger& ledger, std::string id, std::span<const waf::Issued> issued = {}) {
  return ledger.open_family(family(std::move(id)), waf::digest_of("r1"), issued, 100, now).is_open;
}
inline waf::Issued token(std::string id, std::string of = "") {
  return {.id = std::move(id),
          .family = std::move(of),
          .client = "wic",
          .subject = "u1",
          .issued_at = now,
          .ends_at = now + minute};
}
inline waf::Issued turn_token(std::string id, std::string of = "") {
  waf::Issued issued = token(std::move(id), std::move(of));
  issued.twin = issued.id + "-twin";
  issued.kind = waf::IssuedKind::turn;
  issued.audience = "turn.ims.example";
  issued.turn_subject = "s1";
  return issued;
}
inline waf::StoredKey signing_key(std::string kid) {
  return {.kid = std::move(kid), .jwk = Secret::from_text(R"({"d":"very private"})")};
}
inline waf::StoredTurnKey turn_key(std::string kid) {
  return {.kid = std::move(kid),
          .server_name = "turn1",
          .key = Secret::from_text("very private, and 32 bytes long!")};
}

}  // namespace turnpike::store
