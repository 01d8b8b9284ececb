// Which sections stand together.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program/config.hpp"

namespace turnpike::program {
namespace {

using Lines = std::vector<std::string>;
using credentials::Source;

const std::string turn_part = "[turn]\nlisten = [\"udp:192.0.2.1:3478\"]\nrealm = \"ims.example\"\n";
const std::string computed_part =
    "[credentials.computed]\nsecrets = [{ secret = \"a-secret-of-some-length\" }]\n";
const std::string epcscf_part = "[epcscf]\nlisten = [\"ws:127.0.0.1:80\"]\ncore = \"sip:192.0.2.9\"\n";
const std::string ims_part = "[ims]\ndatabase = \"subscribers.db\"\nrealm = \"ims.example\"\n";
const std::string relays_part =
    "[[relays]]\nurl = \"https://relay1.ims.example:8443\"\ncertificate = \"edge.pem\"\nkey = \"edge.key\"\n"
    "ca = \"ca.pem\"\nuris = [\"turn:turn1.ims.example?transport=udp\"]\n";
const std::string elsewhere_part =
    "[credentials]\nrealm = \"ims.example\"\nserver_name = \"turn.ims.example\"\n";

LoadedConfig parse(const std::string& text) { return parse_config(text, "t.toml"); }
Lines problems_of(const std::string& text) { return parse(text).problems; }

TEST(Roles, StandAloneOrTogether) {
  const std::string fleet = elsewhere_part + computed_part + "[credentials.pushed]\n" + relays_part;
  const Lines texts{turn_part + computed_part,
                    ims_part,
                    epcscf_part + fleet,
                    ims_part + epcscf_part + fleet,
                    turn_part + computed_part + ims_part,
                    turn_part + computed_part + epcscf_part,
                    turn_part + computed_part + epcscf_part + relays_part,
                    turn_part + computed_part + ims_part + epcscf_part,
                    epcscf_part + "home_domain = \"ims.example\"\n[epcscf.credentials]\nsources = []\n"};
  for (const std::string& text : texts) EXPECT_EQ(problems_of(text), Lines{}) << text;
}

TEST(Roles, OfAnEdgeAloneKnowItsRelaysByTheirTables) {
  const LoadedConfig loaded =
      parse(epcscf_part + elsewhere_part + computed_part + "[credentials.pushed]\n" + relays_part);
  ASSERT_EQ(loaded.problems, Lines{});
  const Config& config = loaded.config;
  EXPECT_FALSE(config.turn);
  EXPECT_EQ(config.credentials.realm, "ims.example");
  EXPECT_EQ(config.server_name, "turn.ims.example");
  EXPECT_EQ(config.uris, Lines{"turn:turn1.ims.example?transport=udp"});
  EXPECT_EQ(config.epcscf->uris, config.uris);
  EXPECT_EQ(config.epcscf->proxy.home_domain, "ims.example");
  EXPECT_EQ(config.epcscf->sources, (std::vector{Source::computed, Source::pushed}));
  EXPECT_EQ(describe_config(config),
            "credentials  computed (1 secret), pushed (up to 100000), for relays of realm ims.example\n"
            "told         turn:turn1.ims.example?transport=udp\n"
            "eP-CSCF      ws:127.0.0.1:80, core sip:192.0.2.9, hands out computed, pushed\n"
            "relay        relay1.ims.example:8443, https://relay1.ims.example:8443\n"
            "admin        no socket\n");
}

TEST(Roles, OfAnEdgeAloneTellWhatClientsAreToldOfRelaysElsewhere) {
  const LoadedConfig loaded =
      parse(epcscf_part + elsewhere_part + "uris = [\"turn:192.0.2.7\"]\n" + computed_part);
  ASSERT_EQ(loaded.problems, Lines{});
  EXPECT_EQ(loaded.config.epcscf->uris, Lines{"turn:192.0.2.7"});
}

TEST(Roles, TakeTheHomeDomainOfTheCoreInTheSameProcess) {
  const LoadedConfig loaded = parse(ims_part + epcscf_part + "[epcscf.credentials]\nsources = []\n");
  ASSERT_EQ(loaded.problems, Lines{});
  EXPECT_EQ(loaded.config.epcscf->proxy.home_domain, "ims.example");
}

TEST(Roles, ArePrintedAsTheyCanBeRead) {
  const Lines texts{ims_part, epcscf_part + elsewhere_part + "[credentials.pushed]\n" + relays_part};
  for (const std::string& text : texts) {
    const LoadedConfig first = parse(text);
    ASSERT_EQ(first.problems, Lines{});
    const std::string printed = format_config(first.config);
    const LoadedConfig again = parse(printed);
    EXPECT_EQ(again.problems, Lines{}) << printed;
    EXPECT_EQ(format_config(again.config), printed);
  }
}

TEST(Roles, AreNamedWhereThereIsNone) {
  EXPECT_EQ(
      problems_of("[admin]\nsocket = \"a\"\n"),
      Lines{
          "t.toml:1: turn: missing, allowed: at least one of [turn], [epcscf], [ims], [api] and [waf], which "
          "say what is served"});
}

TEST(Roles, OfARelayAloneAreNotThoseOfAnEdge) {
  EXPECT_EQ(
      problems_of(epcscf_part + elsewhere_part + computed_part +
                  "[credentials.static]\nusers = { a = \"b\" }\n" + relays_part),
      Lines{"t.toml:9: credentials.static: found without [turn], allowed: beside it alone, as its users log "
            "in at the relay of this process"});
  EXPECT_EQ(
      problems_of(epcscf_part + elsewhere_part + computed_part +
                  "[credentials.interface]\nlisten = \"192.0.2.1:1\"\ncertificate = \"c\"\nkey = \"k\"\n"
                  "client_ca = \"a\"\n" +
                  relays_part),
      Lines{"t.toml:9: credentials.interface: found without [turn], allowed: beside it alone, as it is how "
            "issuers reach the relay of this process"});
  EXPECT_EQ(
      problems_of(epcscf_part + elsewhere_part + "uris = [\"turn:a\"]\n[credentials.pushed]\n"),
      Lines{"t.toml:8: credentials.pushed: found without [turn] and [[relays]], allowed: beside one of them, "
            "as a relay has to be told of these credentials"});
}

TEST(Roles, OfAnEdgeAloneNeedToKnowForWhomCredentialsAreMade) {
  EXPECT_EQ(problems_of(epcscf_part + "home_domain = \"a\"\n"),
            Lines{"t.toml:1: credentials: missing, allowed: at least one of [credentials.computed], "
                  "[credentials.pushed] and [credentials.token], or [epcscf.credentials] sources = [] where "
                  "nothing is handed out"});
  EXPECT_EQ(
      problems_of(epcscf_part + computed_part),
      (Lines{"t.toml:1: epcscf.home_domain: missing, allowed: the home domain of the users, such as "
             "\"ims.example\"",
             "t.toml:1: credentials.realm: missing, allowed: the realm of the relays for which credentials "
             "are made, as there is no [turn]",
             "t.toml:1: credentials.uris: missing, allowed: a list of \"turn:HOST:PORT?transport=udp\", or "
             "[[relays]], as there is no [turn]"}));
}

TEST(Roles, OfAnApiAloneNeedToKnowForWhomCredentialsAreMade) {
  const std::string api =
      "[api]\ncertificate = \"c\"\nkey = \"k\"\n"
      "keys = [{ id = \"web\", secret = \"a-key-of-some-length\" }]\n";
  EXPECT_EQ(problems_of(api + elsewhere_part + "uris = [\"turn:a\"]\n" + computed_part), Lines{});
  EXPECT_EQ(problems_of(api + elsewhere_part + "[credentials.pushed]\n" + relays_part), Lines{});
  EXPECT_EQ(
      problems_of(api + computed_part),
      (Lines{"t.toml:1: credentials.realm: missing, allowed: the realm of the relays for which credentials "
             "are made, as there is no [turn]",
             "t.toml:1: credentials.uris: missing, allowed: a list of \"turn:HOST:PORT?transport=udp\", or "
             "[[relays]], as there is no [turn]"}));
}

TEST(Roles, OfAHomeCoreAloneHaveNoUseForCredentials) {
  EXPECT_EQ(problems_of(ims_part + computed_part),
            Lines{"t.toml:4: credentials: found beside [ims] alone, allowed: with [turn], [epcscf], [api] or "
                  "[waf], as a home core has no use for them"});
  EXPECT_EQ(
      problems_of("[ims]\ndatabase = \"a\"\n"),
      Lines{"t.toml:1: ims.realm: missing, allowed: the home domain of the users, such as \"ims.example\""});
}

TEST(Roles, OfRelaysAreKnownOnce) {
  EXPECT_EQ(problems_of(turn_part + computed_part + relays_part),
            Lines{"t.toml:6: relays: found without [epcscf], [api] and [waf], allowed: beside one of "
                  "them, as they tell relays"});
  EXPECT_EQ(
      problems_of(turn_part + elsewhere_part + computed_part),
      (Lines{
          "t.toml:5: credentials.realm: found \"ims.example\", allowed: in [turn], as that is the relay for "
          "which credentials are made",
          "t.toml:6: credentials.server_name: found \"turn.ims.example\", allowed: in [turn], as that is "
          "the relay for which credentials are made"}));
  EXPECT_EQ(
      problems_of(epcscf_part + elsewhere_part + computed_part + relays_part + relays_part),
      Lines{"t.toml:15: relays[1].name: found \"relay1.ims.example:8443\" again, allowed: each name once"});
}

}  // namespace
}  // namespace turnpike::program
