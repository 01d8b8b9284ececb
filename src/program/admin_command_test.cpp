#include "program/admin_command.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

TEST(AdminWords, OfStatsShowTheReasonsThatOccurred) {
  EXPECT_EQ(format_stats(Json::parse(
                R"({"ok":true,"requests":12,"credentials_refused":{"expired":0,"wrong_key":3}})")),
            "requests                                  12\n"
            "refused: wrong_key                         3\n");
}

TEST(AdminWords, OfStatsNameTheOtherPartsOfTheProcess) {
  EXPECT_EQ(
      format_stats(Json::parse(R"({"ok":true,"epcscf":{"calls_active":0},"home_core":{"registered":2}})")),
      "epcscf: calls_active                       0\n"
      "home_core: registered                      2\n");
}

TEST(AdminWords, OfRelaysAreATableWithTheReasonOfWhoIsAway) {
  EXPECT_EQ(
      format_relays(Json::parse(
          R"({"relays":[{"name":"turn1","region":"north","uris":["turn:a","turn:b"],"is_live":true,"is_offered":true,)"
          R"("is_draining":false,"load":0.25,"credentials":17,"sequence":40,"waiting":0,"problem":"","failures":0,)"
          R"("last_problem":"the relay has no room for 2 revocations","failed_at":1893456000},)"
          R"({"name":"turn2","region":"","uris":["turn:c"],"is_live":false,"is_offered":false,"is_draining":false,)"
          R"("load":0,"credentials":0,"sequence":3,"waiting":1,"problem":"no route","failures":2,)"
          R"("last_problem":"no route","failed_at":1893456000}]})")),
      "relay                    region     state       load  credentials   sequence  waiting  URIs\n"
      "turn1                    north      offered      25%           17         40        0  turn:a turn:b\n"
      "    had its last problem at 2030-01-01T00:00:00Z: the relay has no room for 2 revocations\n"
      "turn2                               away          0%            0          3        1  turn:c\n"
      "    is away, tried last at 2030-01-01T00:00:00Z: no route\n");
}

TEST(AdminWords, OfSessionsAreATable) {
  EXPECT_EQ(format_sessions(Json::parse(R"({"active":0,"sessions":[]})")), "no allocations\n");
  const std::string table = format_sessions(Json::parse(
      R"({"active":3,"sessions":[{"client":"192.0.2.1:5","relayed":"198.51.100.1:50000","source":"static","subject":"alice",)"
      R"("expires_in_seconds":599,"bytes_from_client":160,"bytes_to_client":0}]})"));
  EXPECT_EQ(table,
            "client                   relayed                  source    subject                   ends in   "
            "    bytes in      bytes out\n"
            "192.0.2.1:5              198.51.100.1:50000       static    alice                    9 min 59 s "
            "           160              0\n"
            "and 2 more\n");
}

TEST(AdminWords, OfAListTellWhatIsPushedAndRevoked) {
  EXPECT_EQ(format_list(Json::parse(R"({"pushed":[],"revoked":[]})")),
            "nothing is pushed and nothing revoked\n");
  EXPECT_EQ(format_list(Json::parse(R"({"pushed":[{"username":"u1","subject":"s","expires_at":1893456000}],)"
                                    R"("revoked":[{"by":"kid","value":"t1.x","expires_at":null}]})")),
            "pushed   u1                       subject s                        until 2030-01-01T00:00:00Z\n"
            "revoked  kid        t1.x until never\n");
}

}  // namespace
}  // namespace turnpike::program
