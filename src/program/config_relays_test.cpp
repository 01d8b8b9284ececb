#include <gtest/gtest.h>

#include "program/config.hpp"

namespace turnpike::program {
namespace {

const std::string relay_part =
    "[turn]\nrealm = \"ims.example\"\nlisten = [\"udp:192.0.2.1:3478\"]\nrelay_addresses = [\"192.0.2.1\"]\n"
    "[credentials.pushed]\n";
const std::string interface_part =
    "[credentials.interface]\nlisten = \"192.0.2.1:8443\"\ncertificate = \"relay.pem\"\nkey = "
    "\"/k/relay.key\"\n"
    "client_ca = \"ca.pem\"\nallowed_names = [\"edge1.ims.example\"]\n";
const std::string fleet_part =
    "[[relays]]\nurl = \"https://relay1.ims.example:8443\"\nregion = \"north\"\ncertificate = \"edge.pem\"\n"
    "key = \"edge.key\"\nca = \"ca.pem\"\nuris = [\"turn:turn1.ims.example?transport=udp\"]\n";

LoadedConfig parse(const std::string& text) { return parse_config(text, "/etc/turnpike/t.toml"); }

// Relays are of use to an eP-CSCF.
const std::string edge_part =
    relay_part + "[epcscf]\nlisten = [\"ws:127.0.0.1:80\"]\ncore = \"sip:192.0.2.9\"\n";

TEST(RelayConfig, ReadsTheInterfaceAndStandsForTheAdministratorsSocket) {
  EXPECT_FALSE(parse(relay_part).problems.empty());
  const auto loaded = parse(relay_part + interface_part);
  ASSERT_TRUE(loaded.problems.empty()) << loaded.problems.front();
  const auto& interface = loaded.config.relay_interface;
  ASSERT_TRUE(interface);
  EXPECT_EQ(interface->listen.to_string(), "192.0.2.1:8443");
  EXPECT_EQ(interface->certificate_file, "/etc/turnpike/relay.pem");
  EXPECT_EQ(interface->key_file, "/k/relay.key");
  EXPECT_EQ(interface->client_ca_file, "/etc/turnpike/ca.pem");
  EXPECT_EQ(interface->allowed_names, std::vector<std::string>{"edge1.ims.example"});
}

TEST(RelayConfig, ReadsRelays) {
  const auto loaded = parse(edge_part + interface_part + fleet_part + "name = \"one\"\n" + fleet_part);
  ASSERT_TRUE(loaded.problems.empty()) << loaded.problems.front();
  ASSERT_EQ(loaded.config.relays.size(), 2U);
  const auto& relay = loaded.config.relays.front();
  EXPECT_EQ(relay.url, "https://relay1.ims.example:8443");
  EXPECT_EQ(relay.name, "one");
  EXPECT_EQ(loaded.config.relays.back().name, "relay1.ims.example:8443");
  EXPECT_EQ(relay.region, "north");
  EXPECT_EQ(relay.certificate_file, "/etc/turnpike/edge.pem");
  EXPECT_EQ(relay.uris, std::vector<std::string>{"turn:turn1.ims.example?transport=udp"});
}

TEST(RelayConfig, PrintsItself) {
  const auto first = parse(edge_part + interface_part + fleet_part);
  const auto again = parse(format_config(first.config));
  ASSERT_TRUE(again.problems.empty()) << again.problems.front();
  EXPECT_EQ(format_config(again.config), format_config(first.config));
  EXPECT_EQ(again.config.relays.size(), 1U);
}

TEST(RelayConfig, TellsWhatIsMissingOrWrong) {
  EXPECT_EQ(parse(relay_part + "[credentials.interface]\n").problems.size(), 4U);
  EXPECT_EQ(parse(edge_part + interface_part + "[[relays]]\n").problems.size(), 5U);
  EXPECT_EQ(parse(edge_part + interface_part + "[[relays]]\nurl = \"http://r\"\nuris = [\"stun:a\"]\n")
                .problems.size(),
            5U);
  EXPECT_EQ(parse(relay_part + "[credentials.interface]\nlisten = \"here\"\n").problems.size(), 4U);
}

}  // namespace
}  // namespace turnpike::program
