#include "program/key_state.hpp"

#include <gtest/gtest.h>

#include "program/test_folder.hpp"
#include "program/text_file.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;

constexpr WallTime wall{1'800'000'000s};

service::KeyProviderSettings settings_in(const TestFolder& folder) {
  return {.url = "https://waf:1",
          .state_file = folder / "new/waf.keys",
          .server_name = "turn1",
          .answer = {.kid_prefix = "w1-"}};
}
KeyState make_state() {
  return {.keys = {{.kid = "w1-b",
                    .key = Secret::from_text("HGkj32KJGiuy098sdfaqbNjOiaz71923"),
                    .ends_at = wall + 1h,
                    .accepted_until = wall + 2h},
                   {.kid = "w1-a",
                    .key = Secret::from_text("0123456789abcdef"),
                    .algorithm = credentials::TokenAlgorithm::a128gcm,
                    .ends_at = wall,
                    .accepted_until = wall + 1h}},
          .fetched_at = wall - 1min};
}

TEST(KeyState, OutlivesTheProcess) {
  TestFolder folder;
  const auto settings = settings_in(folder);
  EXPECT_TRUE(read_key_state(settings)->keys.empty());
  ASSERT_TRUE(write_key_state(settings, {}));
  ASSERT_TRUE(write_key_state(settings, make_state()));
  const auto read = read_key_state(settings);
  ASSERT_TRUE(read) << read.error();
  ASSERT_EQ(read->keys.size(), 2u);
  EXPECT_EQ(read->keys[0].kid, "w1-b");
  EXPECT_EQ(read->keys[0].accepted_until, wall + 2h);
  EXPECT_EQ(read->keys[1].key.reveal_text(), "0123456789abcdef");
  EXPECT_EQ(read->keys[1].algorithm, credentials::TokenAlgorithm::a128gcm);
  EXPECT_EQ(read->fetched_at, wall - 1min);
  EXPECT_FALSE(read->is_withdrawn);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(settings.state_file).permissions(),
            perms::owner_read | perms::owner_write);
}

TEST(KeyState, RemembersThatTheProviderIsWithdrawn) {
  TestFolder folder;
  const auto settings = settings_in(folder);
  ASSERT_TRUE(write_key_state(settings, {.is_withdrawn = true}));
  EXPECT_TRUE(read_key_state(settings)->is_withdrawn);
  EXPECT_TRUE(read_key_state(settings)->keys.empty());
}

TEST(KeyState, IsOfOneProviderAlone) {
  TestFolder folder;
  const auto settings = settings_in(folder);
  ASSERT_TRUE(write_key_state(settings, make_state()));
  for (const int what : {0, 1, 2}) {
    auto other = settings;
    (what == 0 ? other.url : what == 1 ? other.server_name : other.answer.kid_prefix) += "x";
    EXPECT_TRUE(read_key_state(other)->keys.empty()) << what;
  }
}

TEST(KeyState, ThatCannotBeUsedIsToldAndNotTaken) {
  TestFolder folder;
  auto settings = settings_in(folder);
  for (const char* text : {"", "{", "[]", "{}"}) {
    settings.state_file = folder.write("waf.keys", text);
    const auto read = read_key_state(settings);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error(), settings.state_file + " does not hold the keys of a provider");
  }
  settings.state_file = folder.write(
      "waf.keys",
      R"({"url":"https://waf:1","server_name":"turn1","kid_prefix":"w1-","keys":[{"kid":"k1"}]})");
  EXPECT_FALSE(read_key_state(settings)) << "another one's key";
  settings.state_file = folder.write("plain", "") + "/below";
  EXPECT_FALSE(write_key_state(settings, make_state()));
}

TEST(ReplacedFile, IsWholeAndWithoutTracesOfItsMaking) {
  TestFolder folder;
  const std::string file = folder.write("f", "old");
  folder.write("f.new", "of a process that ended in the middle");
  ASSERT_TRUE(replace_private_file(file, "new"));
  EXPECT_EQ(*read_text_file(file), "new");
  EXPECT_FALSE(std::filesystem::exists(file + ".new"));
}

}  // namespace
}  // namespace turnpike::program
