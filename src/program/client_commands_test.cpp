// What the options of probe and bench become; what they do is tested with src/client.
#include <gtest/gtest.h>

#include "program/bench_command.hpp"
#include "program/probe_command.hpp"

namespace turnpike::program {
namespace {

using std::chrono::milliseconds;

CredentialOptions password() {
  CredentialOptions options;
  options.username = "alice";
  options.password = "wonderland";
  return options;
}

CredentialOptions token() {
  CredentialOptions options;
  options.kid = "k1";
  options.token = "AAxoNGozazJsMm40";
  options.mac_key = "WmtzanB3ZW9peFhtdm42NzUzNG0=";
  return options;
}

std::string complaint(const CredentialOptions& options) {
  const auto credential = read_credential(options);
  return credential ? "no complaint" : credential.error();
}

TEST(CredentialOptions, MakeAPassword) {
  const auto credential = read_credential(password());
  ASSERT_TRUE(credential && *credential);
  const auto& made = std::get<turn::PasswordCredential>(**credential);
  EXPECT_EQ(made.username, "alice");
  EXPECT_EQ(made.password.reveal_text(), "wonderland");
}

TEST(CredentialOptions, MakeATokenFromEitherBase64) {
  CredentialOptions options = token();
  options.coturn16 = true;
  auto credential = read_credential(options);
  ASSERT_TRUE(credential && *credential);
  const auto& made = std::get<turn::TokenCredential>(**credential);
  EXPECT_EQ(made.kid, "k1");
  EXPECT_EQ(as_text(made.access_token), std::string_view("\0\x0ch4j3k2l2n4", 12));
  EXPECT_EQ(made.mac_key.reveal_text(), "ZksjpweoixXmvn67534m");
  EXPECT_TRUE(made.coturn16);
  options.token = "_-8";
  credential = read_credential(options);
  ASSERT_TRUE(credential && *credential);
  EXPECT_EQ(std::get<turn::TokenCredential>(**credential).access_token, (ByteVector{0xff, 0xef}));
}

TEST(CredentialOptions, MayBeAbsent) {
  const auto credential = read_credential({});
  ASSERT_TRUE(credential.has_value());
  EXPECT_FALSE(credential->has_value());
}

TEST(CredentialOptions, BelongTogether) {
  CredentialOptions options;
  options.username = "alice";
  EXPECT_EQ(complaint(options), "--username and --password belong together");
  options = token();
  options.kid.reset();
  EXPECT_EQ(complaint(options), "--kid, --token and --mac-key belong together");
  options = token();
  options.username = "alice";
  EXPECT_EQ(complaint(options), "found a password and a token, allowed: one of them");
}

TEST(CredentialOptions, SayWhatIsWrongWithoutRepeatingASecret) {
  CredentialOptions options = password();
  options.username = std::string(509, 'a');
  EXPECT_EQ(complaint(options), "--username: found 509 bytes, allowed: 1 to 508");
  options = token();
  options.mac_key = "not base64";
  EXPECT_EQ(complaint(options), "--mac-key: found 10 characters that are not base64");
  options = token();
  options.token = "";
  EXPECT_EQ(complaint(options), "--token: found 0 bytes, allowed: base64 of 1 to 1400 bytes");
}

TEST(ProbeOptions, BecomeSettings) {
  ProbeOptions options;
  options.uri = "turn:192.0.2.1";
  options.credential = password();
  options.ipv6 = true;
  options.relayed_family = "ipv4";
  options.count = 3;
  options.timeout_ms = 250;
  options.peer = "198.51.100.7:7";
  options.no_username_anonymity = true;
  const auto settings = make_probe_settings(options);
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->uri, "turn:192.0.2.1");
  EXPECT_EQ(settings->family, AddressFamily::ipv6);
  EXPECT_EQ(settings->relayed_family, AddressFamily::ipv4);
  EXPECT_EQ(settings->count, 3);
  EXPECT_EQ(settings->timeout, milliseconds{250});
  EXPECT_EQ(settings->peer, SocketAddress::parse("198.51.100.7:7"));
  EXPECT_TRUE(settings->password_algorithms);
  EXPECT_FALSE(settings->username_anonymity);
}

TEST(ProbeOptions, ThatMakeNoSenseAreRefused) {
  ProbeOptions options;
  options.uri = "http://example.com";
  EXPECT_NE(make_probe_settings(options).error().find("turn:"), std::string::npos);
  options.uri = "turn:192.0.2.1";
  options.ipv4 = options.ipv6 = true;
  EXPECT_EQ(make_probe_settings(options).error(), "found -4 and -6, allowed: one of them");
  options.ipv4 = false;
  options.peer = "somewhere";
  EXPECT_EQ(
      make_probe_settings(options).error(),
      "--peer: found \"somewhere\", allowed: an address, or an address with the port of an echo service");
  options.peer = "2001:db8::1";
  EXPECT_EQ(make_probe_settings(options)->peer->port, 0);
}

BenchOptions bench(const std::string& pattern) {
  BenchOptions options;
  options.pattern = pattern;
  options.server = "127.0.0.1:3478";
  options.credential = password();
  return options;
}

TEST(BenchOptions, KeepThePatternsOwnNumbersUnlessSet) {
  const auto voice = make_bench_settings(bench("voice"));
  ASSERT_TRUE(voice.has_value());
  const auto known = client::make_load_settings(client::LoadPattern::voice);
  EXPECT_EQ(voice->flows, known.flows);
  EXPECT_EQ(voice->payload_bytes, known.payload_bytes);
  EXPECT_EQ(voice->packets_per_second, known.packets_per_second);
  EXPECT_TRUE(voice->channels);
  EXPECT_TRUE(voice->delete_at_end);
}

TEST(BenchOptions, BecomeSettings) {
  BenchOptions options = bench("video");
  options.flows = 7;
  options.packets_per_second = 0;
  options.packets_per_frame = 6;
  options.hold_ms = 500;
  options.duration_ms = 1000;
  options.direction = "up";
  options.peer_ip = "127.0.0.2";
  options.cpu = 1;
  options.server_pid = 42;
  options.indications = options.keep = options.find_loss_free = true;
  const auto settings = make_bench_settings(options);
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->pattern, client::LoadPattern::video);
  EXPECT_EQ(settings->flows, 7U);
  EXPECT_EQ(settings->packets_per_second, 0);
  EXPECT_EQ(settings->packets_per_frame, 6U);
  EXPECT_EQ(settings->hold, milliseconds{500});
  EXPECT_EQ(settings->duration, milliseconds{1000});
  EXPECT_EQ(settings->direction, client::LoadDirection::up);
  EXPECT_EQ(settings->peer_ip, IpAddress::parse("127.0.0.2"));
  EXPECT_EQ(settings->cpu, 1U);
  EXPECT_EQ(settings->server_pid, 42);
  EXPECT_FALSE(settings->channels);
  EXPECT_FALSE(settings->delete_at_end);
  EXPECT_TRUE(settings->find_loss_free);
}

TEST(BenchOptions, ReadTheServer) {
  const auto server = [](const std::string& text) {
    BenchOptions options = bench("voice");
    options.server = text;
    const auto settings = make_bench_settings(options);
    return settings ? settings->server.to_string() : settings.error();
  };
  EXPECT_EQ(server("[::1]:4000"), "[::1]:4000");
  EXPECT_EQ(server("192.0.2.1"), "192.0.2.1:3478");
  EXPECT_EQ(server("localhost:99"), "127.0.0.1:99");
  EXPECT_EQ(server("turn.example"),
            "--server: found \"turn.example\", allowed: ADDRESS:PORT, such as 127.0.0.1:3478");
}

TEST(BenchOptions, NeedACredential) {
  BenchOptions options = bench("voice");
  options.credential = {};
  EXPECT_EQ(make_bench_settings(options).error(),
            "a credential is missing: --username and --password, or --kid, --token and --mac-key");
}

}  // namespace
}  // namespace turnpike::program
