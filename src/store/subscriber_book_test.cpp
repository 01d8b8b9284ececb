#include "store/subscriber_book.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/check.hpp"
#include "ims/memory_subscribers.hpp"
#include "store/test_folder.hpp"

namespace turnpike::store {
namespace {

using std::chrono::milliseconds;
using std::filesystem::perms;

std::string file_in(const Folder& folder) { return folder.file("subscribers.db"); }

SubscriberBook open(const Folder& folder, const StoreLimits& limits = {.busy_timeout = milliseconds{1}}) {
  auto book = SubscriberBook::open(file_in(folder), limits);
  check(book.has_value(), "the book opens");
  return *std::move(book);
}

ims::Subscriber alice() {
  return {.impi = "alice@ims.example",
          .impus = {"sip:alice@ims.example", "tel:+4930123", "sip:al@ims.example"},
          .digest = ims::make_digest_secret("alice@ims.example", "ims.example", "alice secret"),
          .pool = "wwsf1"};
}

ims::Subscriber card(const std::string& name = "card") {
  const std::array<Byte, 16> key{1, 2, 3};
  return {.impi = name + "@ims.example",
          .impus = {"sip:" + name + "@ims.example"},
          .aka = ims::AkaSecret{.k = Secret{key}, .opc = Secret{key}, .amf = {0xb9, 0xb9}, .sqn = 77},
          .is_barred = true};
}

TEST(SubscriberBook, GivesBackWhatWasAdded) {
  const Folder folder;
  ASSERT_TRUE(open(folder).add({alice(), card()}));
  SubscriberBook book = open(folder);  // from the file
  const auto found = book.find_private("alice@ims.example");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->impus, alice().impus);
  EXPECT_EQ(found->pool, "wwsf1");
  EXPECT_FALSE(found->is_barred);
  EXPECT_FALSE(found->aka);
  ASSERT_TRUE(found->digest);
  EXPECT_TRUE(found->digest->ha1_md5.equals(alice().digest->ha1_md5.reveal()));
  EXPECT_TRUE(found->digest->ha1_sha256.equals(alice().digest->ha1_sha256.reveal()));
  const auto other = book.find_public("sip:card@ims.example");
  ASSERT_TRUE(other && other->aka);
  EXPECT_TRUE(other->is_barred);
  EXPECT_TRUE(other->aka->k.equals(card().aka->k.reveal()));
  EXPECT_EQ(other->aka->amf, card().aka->amf);
  EXPECT_EQ(other->aka->sqn, 77U);
  EXPECT_EQ(book.find_public("tel:+4930123")->impi, "alice@ims.example");
  EXPECT_FALSE(book.find_private("nobody@ims.example"));
  EXPECT_FALSE(book.has_failed());
}

TEST(SubscriberBook, RemovesIdentitiesWithTheirSubscriber) {
  const Folder folder;
  SubscriberBook book = open(folder);
  ASSERT_TRUE(book.add(alice()));
  EXPECT_TRUE(*book.remove("alice@ims.example"));
  EXPECT_FALSE(*book.remove("alice@ims.example"));
  EXPECT_FALSE(book.find_public("tel:+4930123"));
  EXPECT_TRUE(book.add(alice()));
}

TEST(SubscriberBook, AddsAllOrNothing) {
  const Folder folder;
  SubscriberBook book = open(folder);
  ASSERT_TRUE(book.add(alice()));
  ims::Subscriber thief = card("thief");
  thief.impus.emplace_back("tel:+4930123");
  const auto added = book.add({card("first"), thief});
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().fault, StoreFault::duplicate);
  EXPECT_EQ(added.error().text, "tel:+4930123 is there already");
  EXPECT_EQ(book.list()->size(), 1U);
  const auto again = book.add(alice());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().text, "alice@ims.example is there already");
}

TEST(SubscriberBook, ListsInOrder) {
  const Folder folder;
  SubscriberBook book = open(folder);
  ASSERT_TRUE(book.add({card("b"), card("a"), alice()}));
  const auto list = book.list();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].impi, "a@ims.example");
  EXPECT_EQ((*list)[1].impi, "alice@ims.example");
  EXPECT_EQ((*list)[1].impus.size(), 3U);
}

TEST(SubscriberBook, KeepsTheSequenceNumberOverARestart) {
  const Folder folder;
  constexpr std::uint64_t sqn = (std::uint64_t{1} << 48) - 1;
  ASSERT_TRUE(open(folder).add({alice(), card()}));
  EXPECT_TRUE(open(folder).store_sqn("card@ims.example", sqn));
  SubscriberBook book = open(folder);
  EXPECT_EQ(book.find_private("card@ims.example")->aka->sqn, sqn);
  EXPECT_FALSE(book.store_sqn("alice@ims.example", 1));  // has none
  EXPECT_FALSE(book.store_sqn("nobody@ims.example", 1));
}

TEST(SubscriberBook, IsForItsOwnerAlone) {
  const Folder folder;
  SubscriberBook book = open(folder);
  ASSERT_TRUE(book.add(alice()));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
    ++files;
    EXPECT_EQ(entry.status().permissions(), perms::owner_read | perms::owner_write) << entry.path();
  }
  EXPECT_GE(files, 2U);  // with the write-ahead log
}

TEST(SubscriberBook, RefusesAFileThatOthersMayRead) {
  const Folder folder;
  open(folder);
  std::filesystem::permissions(file_in(folder), perms::others_read, std::filesystem::perm_options::add);
  const auto book = SubscriberBook::open(file_in(folder));
  ASSERT_FALSE(book);
  EXPECT_EQ(book.error().fault, StoreFault::exposed);
}

TEST(SubscriberBook, SaysThatAnotherHoldsTheDatabase) {
  const Folder folder;
  SubscriberBook book = open(folder);
  ASSERT_TRUE(book.add(card()));
  auto other = Database::open(file_in(folder), subscriber_schema());
  ASSERT_TRUE(other);
  {
    auto transaction = Transaction::begin(*other);
    ASSERT_TRUE(transaction);
    const auto added = book.add(alice());
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().fault, StoreFault::busy);
    EXPECT_FALSE(book.store_sqn("card@ims.example", 78));
    EXPECT_TRUE(book.has_failed());
    EXPECT_EQ(book.last_error()->fault, StoreFault::busy);
    EXPECT_TRUE(book.find_private("card@ims.example"));  // readers do not wait
    EXPECT_FALSE(book.has_failed());
  }
  EXPECT_TRUE(book.add(alice()));  // what was not committed was rolled back
}

TEST(SubscriberBook, SaysThatTheDiskIsFullAndKeepsWhatItHas) {
  const Folder folder;
  ASSERT_TRUE(open(folder).add(card()));
  SubscriberBook book = open(folder, {.busy_timeout = milliseconds{1}, .pages_max = 12});
  std::vector<ims::Subscriber> many;
  many.reserve(2000);
  for (int i = 0; i < 2000; ++i) many.push_back(card("user" + std::to_string(i)));
  const auto added = book.add(many);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().fault, StoreFault::full);
  EXPECT_EQ(book.list()->size(), 1U);
  EXPECT_TRUE(book.store_sqn("card@ims.example", 78));
}

TEST(SubscriberBook, OpensNoFileOfAnotherKind) {
  const Folder folder;
  std::ofstream{file_in(folder)} << std::string(8192, 'x');
  std::filesystem::permissions(file_in(folder), perms::owner_read | perms::owner_write);
  const auto book = SubscriberBook::open(file_in(folder));
  ASSERT_FALSE(book);
  EXPECT_EQ(book.error().fault, StoreFault::broken);
  EXPECT_FALSE(SubscriberBook::open((folder.path() / "none/subscribers.db").string()));
}

TEST(SubscriberBook, OpensNoDatabaseOfALaterRelease) {
  const Folder folder;
  open(folder);
  ASSERT_TRUE(Database::open(file_in(folder), subscriber_schema())->execute("PRAGMA user_version = 99"));
  const auto book = SubscriberBook::open(file_in(folder));
  ASSERT_FALSE(book);
  EXPECT_EQ(book.error().fault, StoreFault::newer_schema);
}

TEST(SubscriberBook, SeesWhatAnotherProcessAdds) {
  const Folder folder;
  SubscriberBook server = open(folder);
  EXPECT_FALSE(server.find_private("alice@ims.example"));
  ASSERT_TRUE(open(folder).add(alice()));
  EXPECT_TRUE(server.find_private("alice@ims.example"));
}

TEST(SubscriberBook, SeesWhatAnotherProcessChangesOfWhomItHasJustRead) {
  const Folder folder;
  SubscriberBook server = open(folder);
  SubscriberBook operators = open(folder);
  ASSERT_TRUE(operators.add({alice(), card()}));
  for (const bool is_barred : {true, false}) {
    EXPECT_TRUE(server.find_private("alice@ims.example"));
    ims::Subscriber changed = alice();
    changed.is_barred = is_barred;
    ASSERT_TRUE(*operators.remove(changed.impi));
    EXPECT_FALSE(server.find_private("alice@ims.example"));
    ASSERT_TRUE(operators.add(changed));
    EXPECT_EQ(server.find_private("alice@ims.example")->is_barred, is_barred);
    EXPECT_EQ(server.find_private("alice@ims.example")->is_barred, is_barred);
  }
  EXPECT_EQ(server.find_private("card@ims.example")->aka->sqn, 77U);
  ASSERT_TRUE(operators.store_sqn("card@ims.example", 90));
  EXPECT_EQ(server.find_private("card@ims.example")->aka->sqn, 90U);
}

TEST(SubscriberBook, TrustsWhatItHasReadForAsLongAsItMay) {
  const Folder folder;
  SubscriberBook operators = open(folder);
  ASSERT_TRUE(operators.add(alice()));
  auto server = SubscriberBook::open(file_in(folder), {}, std::chrono::hours{1});
  ASSERT_TRUE(server.has_value());
  EXPECT_TRUE(server->find_private("alice@ims.example"));
  ASSERT_TRUE(*operators.remove("alice@ims.example"));
  ASSERT_TRUE(operators.add(card()));
  EXPECT_TRUE(server->find_private("alice@ims.example"));
  // Who is not known yet is looked for.
  EXPECT_TRUE(server->find_private("card@ims.example"));
  // Whoever asks for the version learns what has changed.
  (void)server->version();
  EXPECT_FALSE(server->find_private("alice@ims.example"));
}

TEST(SubscriberBook, SeesWhatItChangesItself) {
  const Folder folder;
  SubscriberBook book = open(folder);
  ASSERT_TRUE(book.add({alice(), card()}));
  EXPECT_TRUE(book.find_private("alice@ims.example"));
  ASSERT_TRUE(*book.remove("alice@ims.example"));
  EXPECT_FALSE(book.find_private("alice@ims.example"));
  EXPECT_TRUE(book.find_private("card@ims.example"));
  ASSERT_TRUE(book.store_sqn("card@ims.example", 91));
  EXPECT_EQ(book.find_private("card@ims.example")->aka->sqn, 91U);
}

}  // namespace
}  // namespace turnpike::store
