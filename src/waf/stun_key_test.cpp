#include "waf/stun_key.hpp"

#include <gtest/gtest.h>

#include "waf/test_world.hpp"

namespace turnpike::waf {
namespace {

using namespace std::chrono_literals;

constexpr WallTime start{1'800'000'000s};

struct Desk {
  Desk() {
    settings.turn.clear();
    for (const char* name : {"turn1.ims.example", "turn2.ims.example"})
      settings.turn.push_back(
          {.token = {.server_name = name}, .fetches_keys = true, .certificate_names = {name}});
    settings.turn_keys.kid_prefix = "w1-";
    EXPECT_TRUE(ring.rotate(ledger, settings, start, random));
  }
  [[nodiscard]] StunKeyAnswer ask(const std::string& query,
                                  std::vector<std::string> names = {"turn1.ims.example"},
                                  const std::string& path = "/.well-known/stun-key",
                                  const std::string& method = "GET") const {
    return answer_stun_key(
        settings, ring,
        {.method = method, .path = path, .query = query, .certificate_names = std::move(names)}, start);
  }
  Settings settings = make_settings();
  MemoryLedger ledger;
  SeededRandom random{3};
  TurnKeyRing ring = *TurnKeyRing::open(ledger);
};

const std::string of_turn1 = "service=stun&name=turn1.ims.example";

TEST(StunKey, HasTheMembersOfRfc7635) {
  const Desk desk;
  const StunKeyAnswer answer = desk.ask(of_turn1);
  EXPECT_EQ(answer.response.status, 200u);
  EXPECT_EQ(answer.server_name, "turn1.ims.example");
  EXPECT_EQ(answer.response.find("cache-control"), "no-store");
  EXPECT_EQ(answer.response.find("content-type"), "application/json");
  EXPECT_EQ(answer.response.find("date"), "Fri, 15 Jan 2027 08:00:00 GMT");
  const json body = json::parse(answer.response.body);
  const StoredTurnKey& key = *desk.ring.keys_of("turn1.ims.example").front();
  EXPECT_EQ(body.at("k"), to_base64url(key.key.reveal()));
  EXPECT_EQ(body.at("kid"), key.kid);
  EXPECT_EQ(body.at("enc"), "A256GCM");
  EXPECT_EQ(body.at("exp"), 1'800'000'000 + 7 * 86400);
}

TEST(StunKey, ToldOfAllKeysThatHaveToBeAccepted) {
  Desk desk;
  const std::string first = desk.ring.keys_of("turn1.ims.example").front()->kid;
  const auto second =
      desk.ring.begin_next(desk.ledger, desk.settings, "turn1.ims.example", false, start, desk.random);
  const json body = json::parse(desk.ask(of_turn1).response.body);
  EXPECT_EQ(body.at("kid"), *second) << "who reads one key alone is given the newest one";
  ASSERT_EQ(body.at("keys").size(), 2u);
  EXPECT_EQ(body.at("keys")[1].at("kid"), first);
  EXPECT_EQ(body.at("keys")[1].at("accepted_until"), 1'800'000'000 + 8 * 86400 + 606);
  EXPECT_EQ(body.at("refresh_after"), 300);
  EXPECT_FALSE(body.contains("withdrawn"));
}

TEST(StunKey, ToldOfWithdrawnKeysWithoutThem) {
  Desk desk;
  const std::string first = desk.ring.keys_of("turn1.ims.example").front()->kid;
  desk.ledger.withdraw_turn_key(first);
  ASSERT_TRUE(desk.ring.rotate(desk.ledger, desk.settings, start, desk.random));
  const json body = json::parse(desk.ask(of_turn1).response.body);
  EXPECT_EQ(body.at("withdrawn"), json::array({first}));
  ASSERT_EQ(body.at("keys").size(), 1u);
  EXPECT_NE(body.at("kid"), first);
}

TEST(StunKey, IsForTheTurnServerAloneWhoseCertificateItIs) {
  const Desk desk;
  for (const StunKeyAnswer& answer : {desk.ask(of_turn1, {}), desk.ask(of_turn1, {"turn2.ims.example"}),
                                      desk.ask(of_turn1, {"turn1.ims.example.evil"}),
                                      desk.ask("name=turn9.ims.example"), desk.ask(of_turn1, {""})}) {
    EXPECT_EQ(answer.response.status, 403u);
    EXPECT_EQ(answer.server_name, "");
    EXPECT_EQ(answer.response.body, R"({"error":"the certificate does not stand for this TURN server"})");
    EXPECT_EQ(answer.response.find("cache-control"), "no-store");
  }
  EXPECT_EQ(desk.ask(of_turn1, {"relay", "TURN1.ims.example"}).response.status, 200u) << "names have no case";
}

TEST(StunKey, RefusesOtherRequestsInWords) {
  const Desk desk;
  EXPECT_EQ(desk.ask("", {}, "/token").response.status, 404u);
  EXPECT_EQ(desk.ask("", {}, "/.well-known/stun-key/").response.status, 404u);
  const Response posted = desk.ask(of_turn1, {"turn1.ims.example"}, "/.well-known/stun-key", "POST").response;
  EXPECT_EQ(posted.status, 405u);
  EXPECT_EQ(posted.find("allow"), "GET");
  for (const std::string query : {"", "service=stun", "name=", "service=sip&name=turn1.ims.example",
                                  "name=turn1.ims.example&name=turn2.ims.example", "name=%00", "name=%zz"}) {
    const StunKeyAnswer answer = desk.ask(query);
    EXPECT_EQ(answer.response.status, 400u) << query;
    EXPECT_TRUE(answer.response.body.starts_with(R"({"error":")")) << query;
  }
}

TEST(StunKey, IsNotServedWhereBrowsersAre) {
  World world;
  EXPECT_EQ(world
                .send({.path = "/.well-known/stun-key",
                       .query = of_turn1,
                       .certificate_names = {"turn1.ims.example"}})
                .status,
            404u);
}

TEST(HttpDate, IsThatOfRfc9110) {
  EXPECT_EQ(format_http_date(WallTime{784111777s}), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_http_date(WallTime{}), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace turnpike::waf
