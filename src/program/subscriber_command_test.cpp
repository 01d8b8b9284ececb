#include "program/subscriber_command.hpp"

#include <gtest/gtest.h>

#include "program/test_folder.hpp"
#include "store/subscriber_book.hpp"

namespace turnpike::program {
namespace {

constexpr std::string_view key = "00112233445566778899aabbccddeeff";

TEST(SubscriberCommand, AddsListsAndRemoves) {
  TestFolder folder;
  const std::string database = folder / "subscribers.db";
  const std::string password = folder.write("alice.password", "wonderland\n");
  Answer answer = add_subscriber(database, {.impi = "alice@ims.example",
                                            .impus = {"sip:Alice@IMS.example", "tel:+49-30-123"},
                                            .password_file = password,
                                            .pool = "wwsf1"});
  EXPECT_EQ(answer.complaint, "");
  EXPECT_EQ(answer.text, "1 subscriber added to " + database + "\n");
  answer =
      add_subscriber(database, {.impi = "card@ims.example", .k = std::string{key}, .opc = std::string{key}});
  EXPECT_EQ(answer.complaint, "");
  answer = list_subscribers(database, false);
  EXPECT_EQ(
      answer.text,
      "alice@ims.example                digest      wwsf1            sip:Alice@ims.example tel:+4930123\n"
      "card@ims.example                 aka         -                sip:card@ims.example\n");
  const std::string json = list_subscribers(database, true).text;
  EXPECT_NE(json.find("\"impi\": \"card@ims.example\""), std::string::npos);
  for (const std::string_view secret : {"ha1", "wonderland", "00112233"})
    EXPECT_EQ(json.find(secret), std::string::npos);
  EXPECT_EQ(remove_subscriber(database, "alice@ims.example").exit_status, exit_ok);
  EXPECT_EQ(remove_subscriber(database, "alice@ims.example").exit_status, exit_no);
}

TEST(SubscriberCommand, KeepsThePasswordAsTheRealmsHa1) {
  TestFolder folder;
  const std::string database = folder / "subscribers.db";
  const std::string password = folder.write("p", "wonderland");
  ASSERT_EQ(add_subscriber(database, {.impi = "alice@ims.example", .password_file = password}).complaint, "");
  auto book = store::SubscriberBook::open(database);
  ASSERT_TRUE(book);
  const auto alice = book->find_private("alice@ims.example");
  ASSERT_TRUE(alice && alice->digest);
  // md5("alice@ims.example:ims.example:wonderland"), by md5sum
  EXPECT_EQ(alice->digest->ha1_md5.reveal_text(), "0280ab11edbcb898d2ea4160574ef93f");
}

TEST(SubscriberCommand, SaysWhatIsWrongAndAddsNothing) {
  TestFolder folder;
  const std::string database = folder / "subscribers.db";
  const auto complaint = [&](const SubscriberAddOptions& options) {
    return add_subscriber(database, options).complaint;
  };
  EXPECT_EQ(complaint({.impi = "alice@ims.example"}), "no credential, allowed: a password, or K and OPc");
  EXPECT_EQ(complaint({.impi = "alice", .k = std::string{key}, .opc = std::string{key}}),
            "private identity: found \"alice\", allowed: user@domain without white space, quotes and colons");
  EXPECT_EQ(complaint({.impi = "a@b", .k = "0011", .opc = std::string{key}}),
            "k: found 4 characters, allowed: 32 hexadecimal digits");
  EXPECT_EQ(complaint({.impi = "a@b", .k = std::string{key}}), "k and opc: found one of them, allowed: both");
  EXPECT_EQ(complaint({.impi = "a@b", .impus = {"http://a"}, .k = std::string{key}, .opc = std::string{key}}),
            "public identity: found \"http://a\", allowed: sip:user@domain or tel:+number");
  EXPECT_EQ(complaint({.impi = "a@b", .password_file = folder / "none"}),
            "--password-file " + folder / "none" + ": No such file or directory");
  EXPECT_EQ(complaint({.impi = "a@b", .password_file = folder.write("two", "a\nb\n")}),
            "--password-file " + folder / "two" + ": found more than one line, allowed: one");
  EXPECT_EQ(complaint({.impi = "a@b", .password_file = folder.write("empty", "\n")}),
            "password: found an empty one");
  EXPECT_EQ(list_subscribers(database, false).complaint, database + ": there is no such file");
}

TEST(SubscriberCommand, FindsTheDatabaseInTheConfiguration) {
  TestFolder folder;
  EXPECT_EQ(find_database("a.db", std::nullopt).value(), "a.db");
  EXPECT_EQ(find_database("a.db", "t.toml").error().exit_status, exit_wrong);
  EXPECT_EQ(find_database(std::nullopt, std::nullopt).error().exit_status, exit_wrong);
  const std::string plain =
      folder.write("plain.toml",
                   "[turn]\nlisten = [\"udp:127.0.0.1:3478\"]\nrealm = "
                   "\"ims.example\"\n[credentials.static]\nusers = { a = \"0123456789\" }\n");
  EXPECT_EQ(find_database(std::nullopt, plain).error().complaint,
            plain + ": found no [ims], which names the database");
}

TEST(SubscriberImport, TakesCsvWithQuotesAndSpaces) {
  TestFolder folder;
  const std::string database = folder / "subscribers.db";
  const std::string file = folder.write("users.csv",
                                        "impi,impus,password,barred\r\nalice@ims.example,sip:alice@ims."
                                        "example tel:+4930123,\"a,\"\"b\",\r\n\r\n"
                                        "bob@ims.example,,secret,true\r\n");
  const Answer answer = import_subscribers(database, file);
  EXPECT_EQ(answer.complaint, "");
  EXPECT_EQ(answer.text, "2 subscribers added to " + database + "\n");
  auto book = store::SubscriberBook::open(database);
  EXPECT_EQ(book->find_public("tel:+4930123")->impi, "alice@ims.example");
  EXPECT_TRUE(book->find_private("bob@ims.example")->is_barred);
}

TEST(SubscriberImport, TakesJson) {
  TestFolder folder;
  const std::string database = folder / "subscribers.db";
  const std::string file = folder.write(
      "users.json", R"([{"impi":"alice@ims.example","impus":["sip:alice@ims.example"],"password":"x"},
                        {"impi":"card@ims.example","k":"00112233445566778899aabbccddeeff",
                         "opc":"00112233445566778899aabbccddeeff","amf":"b9b9","pool":"wwsf1"}])");
  EXPECT_EQ(import_subscribers(database, file).complaint, "");
  auto book = store::SubscriberBook::open(database);
  EXPECT_EQ(book->find_private("card@ims.example")->aka->amf, (std::array<Byte, 2>{0xb9, 0xb9}));
}

TEST(SubscriberImport, NamesEachProblemWithItsPlaceAndAddsNothing) {
  TestFolder folder;
  const std::string database = folder / "subscribers.db";
  std::string file = folder.write("users.csv",
                                  "impi,password,barred\nalice@ims.example,x,\nbob,x,\ncarol@ims.example,x\n"
                                  "dave@ims.example,x,maybe\n");
  EXPECT_EQ(import_subscribers(database, file).complaint,
            file +
                ":3: private identity: found \"bob\", allowed: user@domain without white space, quotes and "
                "colons\n" +
                file + ":4: found 2 cells, allowed: 3\n" + file +
                ":5: barred: found \"maybe\", allowed: true, false");
  file = folder.write("names.csv", "impi,pasword\n");
  EXPECT_EQ(import_subscribers(database, file).complaint,
            file + ":1: found \"pasword\", allowed: impi, impus, password, realm, k, opc, amf, pool, barred");
  file =
      folder.write("bad.json", R"([{"impi":"alice@ims.example","password":7},{"impi":"bob@ims.example"}])");
  EXPECT_EQ(import_subscribers(database, file).complaint,
            file + ": [0]: password: allowed: a text\n" + file +
                ": [1]: no credential, allowed: a password, or K and OPc");
  file = folder.write("half.json", "[{");
  EXPECT_EQ(import_subscribers(database, file).complaint, file + ": allowed: a JSON array of objects");
  EXPECT_EQ(import_subscribers(database, "users.txt").complaint,
            "FILE: found \"users.txt\", allowed: a name that ends in .csv or .json");
  EXPECT_EQ(list_subscribers(database, false).complaint, database + ": there is no such file");
}

TEST(SubscriberImport, AddsNothingWhenOneIsThereAlready) {
  TestFolder folder;
  const std::string database = folder / "subscribers.db";
  ASSERT_EQ(
      import_subscribers(database, folder.write("a.csv", "impi,password\nalice@ims.example,x\n")).complaint,
      "");
  const Answer answer = import_subscribers(
      database, folder.write("b.csv", "impi,password\nbob@ims.example,x\nalice@ims.example,y\n"));
  EXPECT_EQ(answer.complaint, database + ": alice@ims.example is there already");
  EXPECT_EQ(list_subscribers(database, false).text.find("bob"), std::string::npos);
}

}  // namespace
}  // namespace turnpike::program
