#include "program/key_command.hpp"

#include <gtest/gtest.h>

#include "program/key_fetch_command.hpp"
#include "program/test_folder.hpp"
#include "program/text_file.hpp"
#include "program/waf_accounts.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::program {
namespace {

const WallTime wall = from_unix_seconds(1'893'456'000);  // 2030-01-01

constexpr std::string_view head = "[turn]\nlisten = [\"udp:192.0.2.1:3478\"]\nrealm = \"r\"\n";
constexpr std::string_view key = "key = \"SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=\"";

Config config_with(const std::string& more) {
  LoadedConfig loaded = parse_config(std::string{head} + more, "t.toml");
  EXPECT_EQ(loaded.problems, std::vector<std::string>{});
  return std::move(loaded.config);
}

Answer generate(const KeyGenerateOptions& options) {
  SeededRandom random{1};
  return generate_key(options, random);
}

TEST(KeyGenerate, PrintsBase64OfTheSize) {
  std::string text = generate({}).text;
  text.pop_back();
  EXPECT_EQ(from_base64(text)->size(), 32U);
  text = generate({.size = 20}).text;
  text.pop_back();
  EXPECT_EQ(from_base64(text)->size(), 20U);
}

TEST(KeyGenerate, PrintsALineThatTheConfigurationTakes) {
  for (const std::uint64_t size : {16U, 32U}) {
    const Answer answer = generate({.size = size, .kid = "k2"});
    const Config config = config_with("[credentials.token]\nkeys = [\n" + answer.text + "]\n");
    EXPECT_EQ(config.credentials.token->keys[0].kid, "k2");
    EXPECT_EQ(config.credentials.token->keys[0].key.size(), size);
  }
  EXPECT_EQ(generate({.size = 20, .kid = "k2"}).complaint,
            "--size: found 20, allowed with --kid: 32 (A256GCM) or 16 (A128GCM)");
}

TEST(KeyGenerate, WritesAFileForItsOwnerAlone) {
  TestFolder folder;
  const std::string file = folder / "new/token.key";
  EXPECT_EQ(generate({.file = file}).exit_status, exit_ok);
  EXPECT_EQ(read_text_file(file)->size(), 45U);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(file).permissions(), perms::owner_read | perms::owner_write);
}

TEST(KeyGenerate, NeverOverwritesAKey) {
  TestFolder folder;
  const std::string file = folder.write("token.key", "old");
  const Answer answer = generate({.file = file});
  EXPECT_EQ(answer.exit_status, exit_wrong);
  EXPECT_EQ(answer.complaint, file + " is there already, and a key is never overwritten");
  EXPECT_EQ(generate({.file = file, .if_missing = true}).exit_status, exit_ok);
  EXPECT_EQ(*read_text_file(file), "old");
  EXPECT_EQ(generate({.if_missing = true}).complaint, "--if-missing: needs --to");
  EXPECT_EQ(generate({.file = file + "/below"}).exit_status, exit_wrong);
}

TEST(KeyList, SaysWhichKeyIssues) {
  const Config config = config_with(
      "[credentials.computed]\nsecrets = [{ id = \"a\", secret = \"0123456789abcdef\" }, { secret = "
      "\"0123456789abcdefg\" }]\n"
      "[credentials.token]\nkeys = [\n{ kid = \"next\", not_before = 2030-01-01T01:00:00Z, " +
      std::string{key} + " },\n{ kid = \"now\", not_after = 2030-01-02T00:00:00Z, derives = false, " +
      std::string{key} + " },\n{ kid = \"old\", not_after = 2029-01-01T00:00:00Z, " + std::string{key} +
      " }]\n");
  EXPECT_EQ(list_keys(config, wall).text,
            "computed  a                        16 bytes         valid, issues\n"
            "computed  -                        17 bytes         valid\n"
            "token     next                     A256GCM, derives begins in 1 h\n"
            "token     now                      A256GCM          valid, ends in 1 d, issues\n"
            "token     old                      A256GCM, derives ended 365 d ago\n");
}

TEST(KeyList, SaysThatThereAreNone) {
  EXPECT_EQ(list_keys(config_with("[credentials.static]\nusers = { a = \"b\" }"), wall).exit_status, exit_no);
}

TEST(KeyRotate, PublishesATokenKeyBeforeItIsUsed) {
  const std::string old_key = "{ kid = \"t1\", " + std::string{key} + " }";
  SeededRandom random{1};
  const Answer plan =
      plan_rotation(config_with("[credentials.token]\nkeys = [" + old_key + "]"), {}, wall, random);
  ASSERT_EQ(plan.exit_status, exit_ok);
  const auto begin = plan.text.find("{ kid");
  const std::string line = plan.text.substr(begin, plan.text.find('\n', begin) - begin);
  EXPECT_NE(plan.text.find("give the key \"t1\" its end: add   not_after = 2030-01-02T01:00:00Z"),
            std::string::npos)
      << plan.text;

  // As the plan says: at first the old key issues, and after an hour the new one does.
  const Config config =
      config_with("[credentials.token]\nkeys = [" + line +
                  "{ kid = \"t1\", not_after = 2030-01-02T01:00:00Z, " + std::string{key} + " }]");
  EXPECT_NE(list_keys(config, wall).text.find("valid, ends in 1 d 1 h, issues"), std::string::npos);
  EXPECT_NE(list_keys(config, wall + std::chrono::hours{2})
                .text.find("k20300101                A256GCM, derives valid, issues"),
            std::string::npos)
      << list_keys(config, wall + std::chrono::hours{2}).text;
}

TEST(KeyRotate, LetsAComputedSecretBeKnownBeforeItIssues) {
  const Config config =
      config_with("[credentials.computed]\nsecrets = [{ id = \"a\", secret = \"0123456789abcdef\" }]");
  SeededRandom random{1};
  const Answer plan = plan_rotation(config, {.source = "computed", .id = "b"}, wall, random);
  EXPECT_NE(plan.text.find("put this LAST"), std::string::npos);
  EXPECT_NE(plan.text.find("{ id = \"b\", secret = \""), std::string::npos);
  EXPECT_EQ(plan_rotation(config, {.source = "computed", .id = "a"}, wall, random).complaint,
            "--id: found \"a\", which is there already, allowed: a new id");
  EXPECT_EQ(plan_rotation(config, {}, wall, random).complaint,
            "--source: found token, but there is no [credentials.token]");
}

// Of a WAF that hands out keys, whose commands can be made to fail at their end: by the entry in its audit
// trail, which comes after all else.
struct FetchedKeys {
  FetchedKeys() {
    folder.write("ca.pem", "");
    EXPECT_TRUE(open_accounts(config, true));
  }
  [[nodiscard]] std::vector<waf::StoredTurnKey> read() const {
    return open_accounts(config, true)->ledger->turn_keys();
  }
  [[nodiscard]] Answer begin() const {
    return begin_turn_key(config, {.server_name = "turn1.ims.example", .at_once = true});
  }
  [[nodiscard]] Answer withdraw() const { return withdraw_keys({.config = config, .all = true}); }
  void change(const std::string& sql) const {
    EXPECT_TRUE(store::Database::open(folder / "waf.db", store::waf_schema())->execute(sql));
  }
  void make_fail() const {
    change("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END");
  }
  void mend() const { change("DROP TRIGGER full"); }

  TestFolder folder{};
  std::string config = folder.write("t.toml", R"([waf]
certificate = "c.pem"
key = "k.pem"
issuer = "https://waf.ims.example"
listen = ["https:192.0.2.10:443"]
database = "waf.db"
audience = "epcscf.ims.example"
secret = "a-secret-of-thirty-two-characters"
[waf.stun_keys]
listen = "https:192.0.2.10:8446"
client_ca = "ca.pem"
kid_prefix = "w1-"
[[waf.turn_servers]]
server_name = "turn1.ims.example"
realm = "ims.example"
uris = ["turn:turn1.ims.example"]
)");
};

TEST(FetchedKeys, AreBegunWhollyOrNot) {
  const FetchedKeys desk;
  ASSERT_TRUE(desk.read().empty());
  ASSERT_EQ(desk.begin().complaint, "");
  const auto before = desk.read();
  desk.make_fail();
  EXPECT_TRUE(desk.begin().complaint.contains("no room"));
  const auto after = desk.read();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_EQ(after.back().used_until, before.back().used_until) << "it would end with no other one begun";
  desk.mend();
  EXPECT_EQ(desk.begin().complaint, "");
  EXPECT_EQ(desk.read().size(), before.size() + 1);
}

TEST(FetchedKeys, AreWithdrawnWhollyOrNot) {
  const FetchedKeys desk;
  ASSERT_EQ(desk.begin().complaint, "");
  ASSERT_EQ(desk.begin().complaint, "");
  const auto before = desk.read().size();
  desk.make_fail();
  EXPECT_TRUE(desk.withdraw().complaint.contains("no room"));
  for (const waf::StoredTurnKey& it : desk.read()) EXPECT_FALSE(it.is_withdrawn) << it.kid;
  desk.mend();
  EXPECT_EQ(desk.withdraw().complaint, "");
  const auto after = desk.read();
  EXPECT_EQ(std::ranges::count_if(after, &waf::StoredTurnKey::is_withdrawn), std::ssize(after) - 1);
  EXPECT_EQ(after.size(), before + 1) << "another one is in their place";
}

}  // namespace
}  // namespace turnpike::program
