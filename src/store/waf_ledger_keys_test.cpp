// The key with which a WafLedger encrypts, and another one in its place.

#include <array>
#include <fstream>
#include <iterator>

#include "store/test_ledger.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::store {
namespace {

std::string everything_in(const Folder& folder) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
    std::ifstream file{entry.path(), std::ios::binary};
    all.append(std::istreambuf_iterator<char>{file}, {});
  }
  return all;
}

TEST(WafLedgerKey, IsChangedWithWhatItEncrypts) {
  const Folder folder;
  const auto ledger = open(folder);
  ledger->put_client({.id = "wic"});
  ledger->put_signing_key(signing_key("k1"));
  ledger->put_signing_key(signing_key("k2"));
  ledger->add_turn_key(turn_key("w1-a"));
  ledger->add_turn_key(turn_key("w1-b"));
  ledger->withdraw_turn_key("w1-b");
  const auto changed = ledger->change_key(other_key);
  ASSERT_TRUE(changed) << changed.error();
  EXPECT_EQ(*changed, 2u);
  EXPECT_EQ(open_error(file_in(folder)),
            file_in(folder) + ": it was written with another key than the one that is configured");
  const auto again = open(file_in(folder), {}, other_key);
  ASSERT_EQ(again->signing_keys().size(), 2u);
  EXPECT_EQ(again->signing_keys().front().jwk.reveal_text(), R"({"d":"very private"})");
  EXPECT_TRUE(again->find_client("wic"));
  ASSERT_EQ(again->turn_keys().size(), 2u);
  EXPECT_EQ(again->turn_keys().front().key.reveal_text(), "very private, and 32 bytes long!");
  ledger->put_signing_key(signing_key("k3"));
  EXPECT_EQ(again->signing_keys().size(), 3u) << "the one that has changed it goes on with it";
  EXPECT_EQ(failure(*ledger), "none");
  EXPECT_FALSE(everything_in(folder).contains("very private"));
}

TEST(WafLedgerKey, IsTakenOverFromAnotherThatHasChangedIt) {
  const Folder folder;
  const auto ledger = open(folder), other = open(folder);
  ledger->put_signing_key(signing_key("k1"));
  ASSERT_TRUE(other->change_key(other_key));
  ledger->put_signing_key(signing_key("k2"));
  EXPECT_TRUE(failure(*ledger).contains("another key")) << "nothing is encrypted with the old one any more";
  EXPECT_TRUE(ledger->signing_keys().empty());
  EXPECT_TRUE(failure(*ledger).contains("does not open"));
  EXPECT_EQ(ledger->change_key(other_key), 0u) << "there is nothing to do";
  EXPECT_EQ(ledger->signing_keys().size(), 1u);
  EXPECT_EQ(other->signing_keys().size(), 1u);
}

TEST(WafLedgerKey, IsNotChangedByWhoHasNeither) {
  const Folder folder;
  const auto ledger = open(folder), other = open(folder);
  ledger->put_signing_key(signing_key("k1"));
  ASSERT_TRUE(other->change_key(other_key));
  EXPECT_TRUE(ledger->change_key(Secret{ByteVector(32, 9)}).error().contains("another key"));
  EXPECT_TRUE(ledger->change_key(Secret{ByteVector(16, 9)}).error().contains("32 bytes, found 16"));
  EXPECT_EQ(other->signing_keys().size(), 1u);
}

TEST(WafLedgerKey, StaysWhereTheOtherCannotBeWritten) {
  const Folder folder;
  const auto ledger = open(folder, {.file = {.busy_timeout = std::chrono::milliseconds{1}}});
  ledger->put_signing_key(signing_key("k1"));
  {
    auto other = Database::open(file_in(folder), waf_schema());
    ASSERT_TRUE(other);
    const auto transaction = Transaction::begin(*other);
    ASSERT_TRUE(transaction);
    EXPECT_TRUE(ledger->change_key(other_key).error().contains("locked by another process"));
  }
  EXPECT_EQ(ledger->signing_keys().size(), 1u);
  EXPECT_EQ(open(folder)->signing_keys().size(), 1u);
}

TEST(WafLedgerKey, IsGivenUpWithTheSigningKeys) {
  const Folder folder;
  {
    const auto ledger = open(folder);
    ledger->put_client({.id = "wic"});
    ledger->put_signing_key(signing_key("k1"));
    ledger->add_turn_key(turn_key("w1-a"));
  }
  ASSERT_TRUE(WafLedger::forget_keys(file_in(folder)));
  const auto ledger = open(file_in(folder), {}, other_key);
  EXPECT_TRUE(ledger->signing_keys().empty());
  EXPECT_TRUE(ledger->turn_keys().empty());
  EXPECT_TRUE(ledger->find_client("wic"));
  EXPECT_TRUE(open_error(file_in(folder)).contains("another key"));
  EXPECT_TRUE(WafLedger::forget_keys(folder.file("none/waf.db")).error().contains("No such file"));
}

}  // namespace
}  // namespace turnpike::store
