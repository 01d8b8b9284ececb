#include "waf/memory_ledger.hpp"

#include "waf/ledger_contract.hpp"

namespace turnpike::waf {
namespace {

struct MakeMemoryLedger {
  std::unique_ptr<Ledger> operator()() { return std::make_unique<MemoryLedger>(); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, LedgerContract, MakeMemoryLedger);

constexpr WallTime now{std::chrono::seconds{1'800'000'000}};
constexpr std::chrono::seconds minute{60};

TEST(MemoryLedger, RefusesWhatItHasNoRoomToRemember) {
  MemoryLedger ledger{{.once_max = 2}};
  EXPECT_TRUE(ledger.use_once("a", now + minute, now));
  EXPECT_TRUE(ledger.use_once("b", now + 2 * minute, now));
  EXPECT_FALSE(ledger.use_once("c", now + minute, now));
  EXPECT_TRUE(ledger.use_once("c", now + 2 * minute, now + minute));
}

TEST(MemoryLedger, ForgetsTheOldestOfTooManyFailures) {
  MemoryLedger ledger{{.attempts_max = 2}};
  const AttemptRule rule{.failures_max = 1};
  ledger.note_failure("a", rule, now);
  ledger.note_failure("b", rule, now + std::chrono::seconds{1});
  ledger.note_failure("c", rule, now + std::chrono::seconds{2});
  EXPECT_FALSE(ledger.find_lock("a", now + std::chrono::seconds{3}));
  EXPECT_TRUE(ledger.find_lock("b", now + std::chrono::seconds{3}));
  EXPECT_TRUE(ledger.find_lock("c", now + std::chrono::seconds{3}));
}

TEST(MemoryLedger, KeepsTheNewestOfItsAuditTrail) {
  MemoryLedger ledger{{.audit_max = 2}};
  for (const char* event : {"a", "b", "c"}) ledger.append_audit(std::array{AuditEntry{.event = event}});
  const auto all = ledger.last_audit_entries(10);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.back().event, "b");
}

}  // namespace
}  // namespace turnpike::waf
