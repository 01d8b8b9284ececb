// Ports to which browsers do not go.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program/config.hpp"

namespace turnpike::program {
namespace {

using Lines = std::vector<std::string>;

const std::string computed_part =
    "[credentials.computed]\nsecrets = [{ secret = \"a-secret-of-some-length\" }]\n";

Lines warnings_of(const std::string& text) { return parse_config(text, "t.toml").warnings; }

std::string relay_with(const std::string& more) {
  return "[turn]\nrealm = \"ims.example\"\nrelay_addresses = [\"192.0.2.1\"]\n" + more;
}

TEST(Ports, OfListenersAreThoseToWhichBrowsersGo) {
  EXPECT_EQ(
      warnings_of("[epcscf]\nlisten = [\"wss:0.0.0.0:443\", \"wss:[::]:5061\"]\n"
                  "[api]\nlisten = \"https:192.0.2.1:6000\"\n"
                  "[waf]\nlisten = [\"https:192.0.2.1:8445\", \"https:192.0.2.1:10080\", 5]\n"),
      (Lines{"t.toml:2: epcscf.listen[1]: browsers open no connection to port 5061, whoever answers there",
             "t.toml:4: api.listen: browsers open no connection to port 6000, whoever answers there",
             "t.toml:6: waf.listen[1]: browsers open no connection to port 10080, whoever answers there"}));
}

TEST(Ports, OfTheRelayAreThoseThatItsClientsAreTold) {
  EXPECT_EQ(
      warnings_of(relay_with("listen = [\"udp:192.0.2.1:53\", \"udp:192.0.2.1:80\"]\n")),
      Lines{"t.toml:4: turn.listen[0]: browsers send nothing to TURN servers on port 53; of those below "
            "1024 they know 80 and 443"});
  EXPECT_EQ(warnings_of(relay_with("listen = [\"udp:192.0.2.1:53\"]\nuris = [\"turn:a.example:443\"]\n")),
            Lines{})
      << "there is something between them that changes the port";
  EXPECT_EQ(warnings_of(relay_with("uris = \"turn:a.example:5060?transport=tcp\"\n")),
            Lines{"t.toml:4: turn.uris: browsers send nothing to TURN servers on port 5060"});
}

TEST(Ports, OfRelaysElsewhereStandInTheirUris) {
  const std::string uri = "uris = [\"turn:a.example\", \"turns:a.example:993\"]\n";
  const auto warning = [](int line, std::string_view path) {
    return "t.toml:" + std::to_string(line) + ": " + std::string{path} +
           ".uris[1]: browsers send nothing to TURN servers on port 993; of those below 1024 they know 80 "
           "and 443";
  };
  EXPECT_EQ(warnings_of("[credentials]\n" + uri + "[epcscf.credentials]\n" + uri + "[api.credentials]\n" +
                        uri + "[waf.turn]\n" + uri + "[[relays]]\n" + uri + "[[relays]]\n" + uri),
            (Lines{warning(2, "credentials"), warning(4, "epcscf.credentials"), warning(6, "api.credentials"),
                   warning(8, "waf.turn"), warning(10, "relays[0]"), warning(12, "relays[1]")}));
}

TEST(Ports, OfThePeersAreNotOnlyThose) {
  const std::string where = "listen = [\"udp:192.0.2.1:3478\"]\nrelay_ports = ";
  EXPECT_EQ(
      parse_config(relay_with(where + "[6665, 6669]\n" + computed_part), "t.toml").problems,
      Lines{"t.toml:5: turn.relay_ports: found ports to which browsers do not go, allowed: a range with "
            "others, as those are never given out"});
  EXPECT_EQ(parse_config(relay_with(where + "[6665, 6670]\n" + computed_part), "t.toml").problems, Lines{});
}

TEST(Uris, AreThoseOfTurnServersWhereverTheyStand) {
  const Lines problems =
      parse_config(
          "[turn]\nlisten = [\"udp:192.0.2.1:3478\"]\nrealm = \"a\"\nuris = [\"stun:a\"]\n" + computed_part +
              "[epcscf]\nlisten = [\"ws:127.0.0.1:80\"]\ncore = \"sip:192.0.2.9\"\nhome_domain = \"a\"\n"
              "[epcscf.credentials]\nuris = [\"trun:a\"]\n",
          "t.toml")
          .problems;
  const std::string allowed = "allowed: turn: or turns: URIs, \"turn:turn1.example:3478?transport=udp\"";
  EXPECT_EQ(problems, (Lines{"t.toml:4: turn.uris: found \"stun:a\", " + allowed,
                             "t.toml:12: epcscf.credentials.uris: found \"trun:a\", " + allowed}));
}

}  // namespace
}  // namespace turnpike::program
