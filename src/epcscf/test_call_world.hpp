#pragma once
// For tests: a WIC that is registered, and the calls that it makes and gets.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "epcscf/test_world.hpp"

namespace turnpike::epcscf::test {

inline const std::string scscf_route = "<sip:orig@scscf.ims.example:6060;lr>";
inline const std::string far_contact = "Contact: <sip:bob@192.0.2.77:5062>\r\n";

struct Text {
  std::string method = "INVITE";
  std::string target = "sip:bob@ims.example";
  std::string rows{};
  std::string to_tag{};
  std::string call_id = "call1";
  std::string number = "1";
  std::string branch{};
};

class CallWorld : public World {
 public:
  explicit CallWorld(Settings settings = make_settings()) : World(std::move(settings)) {
    send(make_register({.authorization = digest_answer}));
    const std::string sent = take_core("REGISTER");
    path = value(sent, "Path");
    answer_core(sent, 200, make_accepted());
    take_client();
    to_core.clear();
    hops.clear();
    reports.clear();
  }
  std::string make(const Text& text, std::string_view via = "SIP/2.0/WSS df7jal.invalid") {
    const std::string branch = text.branch.empty() ? "z9hG4bKc" + next_word() : text.branch;
    return text.method + ' ' + text.target + " SIP/2.0\r\nVia: " + std::string{via} + ";branch=" + branch +
           "\r\nMax-Forwards: 70\r\nFrom: <sip:alice@ims.example>;tag=a\r\nTo: <sip:bob@ims.example>" +
           (text.to_tag.empty() ? "" : ";tag=" + text.to_tag) + "\r\nCall-ID: " + text.call_id +
           "\r\nCSeq: " + text.number + ' ' + text.method + "\r\n" + text.rows + "\r\n";
  }
  std::string make_from_core(const Text& text) { return make(text, "SIP/2.0/UDP 192.0.2.10:5060"); }

  // An INVITE of the WIC that was answered; gives the Route that the WIC has learned.
  std::string establish_originating() {
    send(make({.rows = "Contact: <sip:alice@df7jal.invalid;transport=ws>\r\n"}));
    const std::string sent = take_core("INVITE");
    const std::string recorded = value(sent, "Record-Route");
    core_record_route = recorded;
    answer_core(sent, 200,
                "Record-Route: <sip:mo@scscf.ims.example:6060;lr>\r\nRecord-Route: " + recorded + "\r\n" +
                    far_contact);
    take_client();  // 200
    const std::string& answer = last_client;
    const auto message = sip::Message::parse(answer);
    std::vector<std::string> rows;
    sip::ValueCursor cursor{*message, sip::HeaderName::record_route};
    while (const auto row = cursor.next()) rows.emplace_back(*row);
    EXPECT_EQ(rows.size(), 2U);
    hops.clear();
    return "Route: " + rows.back() + ", " + rows.front() + "\r\n";
  }
  std::string take_client(FlowId flow = alice_flow) {
    last_client = World::take_client(flow);
    return last_client;
  }

  std::string path;
  std::string core_record_route;
  std::string last_client;
};

inline Text incoming(const CallWorld& world, std::string rows = {}) {
  return {.target = "sip:alice@df7jal.invalid;transport=ws",
          .rows = "Route: " + world.path + "\r\n" + std::move(rows)};
}

}  // namespace turnpike::epcscf::test
