// [epcscf] and [ims].
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program/config.hpp"

namespace turnpike::program {
namespace {

using Lines = std::vector<std::string>;
using credentials::Source;

// Six lines.
constexpr std::string_view relay = R"([turn]
listen = ["udp:192.0.2.1:3478"]
realm = "ims.example"
[credentials.computed]
secrets = [{ secret = "a-secret-of-some-length" }]
[credentials.pushed]
)";
constexpr std::string_view home_core = "[ims]\ndatabase = \"subscribers.db\"\n";
constexpr std::string_view least_epcscf = "[epcscf]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";

LoadedConfig parsed(std::string_view more) {
  return parse_config(std::string{relay} + std::string{more}, "t.toml");
}
Lines problems_after(std::string_view more) { return parsed(more).problems; }

TEST(ConfigOfControlPlane, NeedsLittle) {
  const LoadedConfig loaded = parsed(std::string{home_core} + std::string{least_epcscf});
  ASSERT_EQ(loaded.problems, Lines{});
  const EpcscfConfig& epcscf = *loaded.config.epcscf;
  EXPECT_EQ(epcscf.door.listeners,
            (std::vector<service::DoorListener>{{*SocketAddress::parse("0.0.0.0:8443"), true}}));
  EXPECT_EQ(epcscf.proxy.core, (sip::Hop{sip::Transport::tcp, "127.0.0.1", 5070}));
  EXPECT_EQ(epcscf.proxy.own_host, "127.0.0.1:5072");
  EXPECT_EQ(epcscf.proxy.home_domain, "ims.example");
  EXPECT_EQ(epcscf.proxy.visited_network, "ims.example");
  EXPECT_EQ(epcscf.sources, (std::vector{Source::computed, Source::pushed}));
  EXPECT_EQ(epcscf.uris, loaded.config.uris);
  const ImsConfig& ims = *loaded.config.ims;
  EXPECT_EQ(ims.core.self, (sip::Hop{sip::Transport::udp, "127.0.0.1", 5070}));
  EXPECT_EQ(ims.core.domain, "ims.example");
  EXPECT_EQ(ims.core.trusted_nodes, Lines{"127.0.0.1"});
}

TEST(ConfigOfControlPlane, SpeaksTcpWithItsOwnCoreWhereBothListenToIt) {
  const auto core_of = [](std::string_view own, std::string_view core) {
    const LoadedConfig loaded =
        parsed(std::string{home_core} + std::string{core} + std::string{least_epcscf} + std::string{own});
    EXPECT_EQ(loaded.problems, Lines{});
    return loaded.config.epcscf->core;
  };
  constexpr std::string_view udp_alone = "core_listen = [\"udp:127.0.0.1:5072\"]\n";
  constexpr std::string_view core_of_udp = "listen = [\"udp:127.0.0.1:5090\"]\n";
  constexpr std::string_view core_of_both = "listen = [\"udp:127.0.0.1:5090\", \"tcp:127.0.0.1:5091\"]\n";
  EXPECT_EQ(core_of("", core_of_both), "sip:127.0.0.1:5091;transport=tcp");
  EXPECT_EQ(core_of("", core_of_udp), "sip:127.0.0.1:5090");
  EXPECT_EQ(core_of(udp_alone, core_of_both), "sip:127.0.0.1:5090");
}

TEST(ConfigOfControlPlane, IsPrintedAsItCanBeRead) {
  const LoadedConfig loaded = parsed(std::string{home_core} + std::string{least_epcscf} +
                                     "core = \"sip:[2001:db8::1]:5061;transport=tcp\"\ntrusted_core = "
                                     "[\"2001:db8::2\"]\norigins = [\"https://a.example\"]\n"
                                     "path = \"/ws\"\nhost = \"edge.example\"\n[epcscf.credentials]\nsources "
                                     "= [\"pushed\"]\n[epcscf.limits]\nmessages_per_second = 7\n");
  ASSERT_EQ(loaded.problems, Lines{});
  const std::string printed = format_config(loaded.config);
  EXPECT_EQ(loaded.config.epcscf->proxy.core.transport, sip::Transport::tcp);
  std::string again = printed;
  for (std::size_t at = again.find("(hidden)"); at != std::string::npos; at = again.find("(hidden)"))
    again.replace(at, 8, "a-secret-of-some-length");
  const LoadedConfig read = parse_config(again, "t.toml");
  ASSERT_EQ(read.problems, Lines{}) << printed;
  EXPECT_EQ(format_config(read.config), printed);
}

TEST(ConfigOfControlPlane, SaysWhatIsWrong) {
  const std::string core_allowed =
      "the sip: URI of the I-CSCF, over udp or tcp, such as \"sip:127.0.0.1:5070\" or "
      "\"sip:icscf.ims.example;transport=tcp\"";
  EXPECT_EQ(problems_after("[epcscf]\nlisten = [\"http:1\"]\ncore = \"sip:127.0.0.1\"\n"),
            (Lines{"t.toml:8: epcscf.listen: found \"http:1\", allowed: \"wss:ADDRESS:PORT\", such as "
                   "\"wss:0.0.0.0:8443\", or \"ws:...\""}));
  EXPECT_EQ(problems_after("[epcscf]\nlisten = [\"ws:127.0.0.1:80\"]\n"),
            (Lines{"t.toml:7: epcscf.core: missing, allowed: " + core_allowed}));
  for (const std::string core : {"sips:127.0.0.1", "sip:127.0.0.1;transport=tls", "tel:+15550100"})
    EXPECT_EQ(problems_after("[epcscf]\nlisten = [\"ws:127.0.0.1:80\"]\ncore = \"" + core + "\"\n"),
              (Lines{"t.toml:9: epcscf.core: found \"" + core + "\", allowed: " + core_allowed}));
  EXPECT_EQ(
      problems_after("[epcscf]\nlisten = [\"ws:127.0.0.1:80\"]\ncore = \"sip:icscf.ims.example\"\n"),
      (Lines{
          "t.toml:7: epcscf.trusted_core: missing, allowed: the addresses from which the core speaks, as its "
          "URI has a name and no address"}));
  EXPECT_EQ(problems_after(
                "[epcscf]\nlisten = [\"ws:127.0.0.1:80\"]\ncore = \"sip:127.0.0.1\"\nzzzzzz = 1\n"
                "[epcscf.credentials]\nsources = [\"token\"]\n[epcscf.limits]\nidle_timeout_seconds = 10\n"),
            (Lines{"t.toml:10: epcscf.zzzzzz: unknown key",
                   "t.toml:12: epcscf.credentials.sources: found \"token\", allowed: a source that "
                   "[credentials.token] configures",
                   "t.toml:14: epcscf.limits.idle_timeout_seconds: found 10, allowed: more than "
                   "ping_interval_seconds, which is 25"}));
  EXPECT_EQ(
      problems_after("[admin]\nsocket = \"a\"\n[ims]\nlisten = [\"udp:0.0.0.0:5070\"]\ndatabase = \"a\"\n"),
      (Lines{
          "t.toml:9: ims.host: missing, allowed: HOST or HOST:PORT by which the others reach this node, such "
          "as \"epcscf.ims.example:5072\""}));
  EXPECT_EQ(problems_after("[admin]\nsocket = \"a\"\n[ims]\n"),
            (Lines{"t.toml:9: ims.database: missing, allowed: the file of the subscribers, "
                   "which `turnpike subscriber add` fills"}));
}

}  // namespace
}  // namespace turnpike::program
