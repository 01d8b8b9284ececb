#include "provisioning/body.hpp"

#include <gtest/gtest.h>

#include "provisioning/test_settings.hpp"

namespace turnpike::provisioning {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view good =
    R"({"iceServers":[{"urls":["turn:a.example"],"username":"u","credential":"p"}],"ttl":3600})";

Provision make_provision() {
  Provisioner provisioner{make_test_settings({credentials::Source::computed})};
  SeededRandom random{1};
  auto made = provisioner.provision({.form = Form::oauth}, {"alice", "1"}, 3600s, {}, test_wall, random);
  EXPECT_TRUE(made);
  return made.value_or(Provision{});
}

BodyDefect defect(std::string_view json) {
  const auto read = parse_body(json, test_wall);
  EXPECT_FALSE(read) << json;
  return read ? BodyDefect::malformed : read.error();
}

TEST(Body, HasTheShapeOfIceServers) {
  const Provision provision{
      .entries = {{.uris = {"turn:turn1.ims.example:3478?transport=udp", "turns:turn1.ims.example:443"},
                   .realm = "ims.example",
                   .username = "1893459720:mfzwizltoq",
                   .password = Secret::from_text("teJwk4ql4rrsQZ01U/Q+SmpDWss="),
                   .ttl = 3720s,
                   .expires_at = test_wall + 3720s}},
      .refresh_after = 3000s};
  EXPECT_EQ(format_body(provision),
            R"({"iceServers":[{"urls":["turn:turn1.ims.example:3478?transport=udp",)"
            R"("turns:turn1.ims.example:443"],"username":"1893459720:mfzwizltoq",)"
            R"("credential":"teJwk4ql4rrsQZ01U/Q+SmpDWss=","credentialType":"password"}],)"
            R"("realm":"ims.example","ttl":3720,"expires_at":1893459720,"refresh_after":3000})");
}

TEST(Body, IsReadAsItIsWritten) {
  const Provision provision = make_provision();
  const auto read = parse_body(format_body(provision), test_wall);
  ASSERT_TRUE(read) << to_string(read.error());
  ASSERT_EQ(read->entries.size(), 2U);
  EXPECT_EQ(read->refresh_after, provision.refresh_after);
  for (std::size_t i = 0; i < 2; ++i) {
    const Entry& a = provision.entries[i];
    const Entry& b = read->entries[i];
    EXPECT_EQ(a.form, b.form);
    EXPECT_EQ(a.uris, b.uris);
    EXPECT_EQ(a.realm, b.realm);
    EXPECT_EQ(a.username, b.username);
    EXPECT_EQ(a.password.reveal_text(), b.password.reveal_text());
    EXPECT_EQ(a.access_token, b.access_token);
    EXPECT_EQ(a.algorithm, b.algorithm);
    EXPECT_EQ(a.server_name, b.server_name);
    EXPECT_EQ(a.ttl, b.ttl);
    EXPECT_EQ(a.expires_at, b.expires_at);
  }
}

TEST(Body, KeepsTokensOutOfTheArrayThatBrowsersTake) {
  const std::string json = format_body(make_provision());
  const std::string servers = json.substr(0, json.find("\"realm\""));
  EXPECT_EQ(servers.find("oauth"), std::string::npos);
  EXPECT_NE(json.find("\"oauth\":[{\"access_token\""), std::string::npos);
}

TEST(Body, SurvivesTextThatIsNotUtf8) {
  Provision provision = make_provision();
  provision.entries.front().username = "\xff\xfe";
  EXPECT_FALSE(format_body(provision).empty());
}

TEST(Body, MayComeFromOthersInItsShortestForm) {
  const auto read = parse_body(good, test_wall);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->entries.front().expires_at, test_wall + 3600s);
  EXPECT_EQ(read->refresh_after, 3000s);
  const auto single = parse_body(
      R"({"iceServers":[{"urls":"turn:a.example","username":"u","credential":"p"}],"ttl":60,"x":[1]})",
      test_wall);
  ASSERT_TRUE(single);
  EXPECT_EQ(single->entries.front().uris, std::vector<std::string>{"turn:a.example"});
}

TEST(Body, IsRefusedWithAReason) {
  EXPECT_EQ(defect(""), BodyDefect::malformed);
  EXPECT_EQ(defect("[]"), BodyDefect::malformed);
  EXPECT_EQ(defect("{"), BodyDefect::malformed);
  EXPECT_EQ(defect(std::string(good) + "}"), BodyDefect::malformed);
  EXPECT_EQ(defect(std::string(70'000, ' ') + std::string(good)), BodyDefect::malformed);
  EXPECT_EQ(defect(std::string(20'000, '[')), BodyDefect::malformed);
  for (
      const std::string_view json :
      {R"({})", R"({"ttl":60})", R"({"iceServers":{},"ttl":60})", R"({"iceServers":[],"ttl":60})",
       R"({"iceServers":[1],"ttl":60})", R"({"iceServers":[[]],"ttl":60})",
       R"({"iceServers":[{"urls":[],"username":"u","credential":"p"}],"ttl":60})",
       R"({"iceServers":[{"urls":[7],"username":"u","credential":"p"}],"ttl":60})",
       R"({"iceServers":[{"urls":"http://a","username":"u","credential":"p"}],"ttl":60})",
       R"({"iceServers":[{"urls":"turn:a.example","username":1,"credential":"p"}],"ttl":60})",
       R"({"iceServers":[{"urls":"turn:a.example","username":"","credential":"p"}],"ttl":60})",
       R"({"iceServers":[{"urls":"turn:a.example","username":"u"}],"ttl":60})",
       R"({"iceServers":[{"urls":"turn:a.example","username":"u","credential":"p"}],"ttl":-1})",
       R"({"iceServers":[{"urls":"turn:a.example","username":"u","credential":"p"}],"ttl":"60"})",
       R"({"iceServers":[{"urls":"turn:a.example","username":"u","credential":"p"}],"ttl":4294967296})",
       R"({"iceServers":[{"urls":"turn:a.example","username":"u","credential":"p"}],"ttl":60,"oauth":{}})",
       R"({"iceServers":[{"urls":"turn:a.example","username":"u","credential":"p"}],"ttl":60,"oauth":[{}]})"})
    EXPECT_EQ(defect(json), BodyDefect::no_credentials) << json;
}

}  // namespace
}  // namespace turnpike::provisioning
