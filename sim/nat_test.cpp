#include "sim/nat.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace turnpike::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

// Keeps what it hears.
class Ear final : public Node {
 public:
  void on_datagram(const Datagram& datagram) override { heard.push_back(datagram); }
  void on_icmp(const IcmpError& error) override { errors.push_back(error); }
  std::vector<Datagram> heard;
  std::vector<IcmpError> errors;
};

class NatTest : public testing::Test {
 public:
  explicit NatTest() {
    network.attach(server.ip, server_ear);
    network.attach(other.ip, other_ear);
  }
  Nat make(NatBehaviour mapping, NatBehaviour filtering) {
    return Nat{world, network, at("198.51.100.1:0").ip, {.mapping = mapping, .filtering = filtering}};
  }
  // Sends from the inside and returns what address the receiver saw.
  SocketAddress seen_by(Gateway& nat, Ear& ear, const SocketAddress& to) {
    nat.send({inside, to, {1, 2, 3}, false});
    world.run_for(seconds{1});
    return ear.heard.empty() ? SocketAddress{} : ear.heard.back().from;
  }
  bool reaches_inside(const SocketAddress& from, const SocketAddress& to) {
    const std::size_t before = inside_ear.heard.size();
    network.send({from, to, {4, 5, 6}, false});
    world.run_for(seconds{1});
    return inside_ear.heard.size() > before;
  }

  World world{1};
  Network network{world};
  const SocketAddress server = at("192.0.2.1:3478");
  const SocketAddress server_second_port = at("192.0.2.1:9999");
  const SocketAddress other = at("203.0.113.5:5000");
  const SocketAddress inside = at("10.0.0.2:1234");
  Ear server_ear, other_ear, inside_ear;
};

TEST_F(NatTest, TranslatesBothWays) {
  Nat nat = make(NatBehaviour::endpoint_independent, NatBehaviour::endpoint_independent);
  nat.attach(inside.ip, inside_ear);
  const SocketAddress mapped = seen_by(nat, server_ear, server);
  EXPECT_EQ(mapped.ip, nat.outside());
  ASSERT_TRUE(reaches_inside(server, mapped));
  EXPECT_EQ(inside_ear.heard.back().from, server);
  EXPECT_EQ(inside_ear.heard.back().to, inside);
  EXPECT_EQ(inside_ear.heard.back().bytes, (ByteVector{4, 5, 6}));
}

TEST_F(NatTest, MapsByItsBehaviour) {
  struct Case {
    NatBehaviour mapping;
    bool same_for_other_port, same_for_other_address;
  };
  for (const Case& each : {Case{NatBehaviour::endpoint_independent, true, true},
                           Case{NatBehaviour::address_dependent, true, false},
                           Case{NatBehaviour::address_and_port_dependent, false, false}}) {
    Nat nat = make(each.mapping, NatBehaviour::endpoint_independent);
    const SocketAddress first = seen_by(nat, server_ear, server);
    EXPECT_EQ(seen_by(nat, server_ear, server), first);
    EXPECT_EQ(seen_by(nat, server_ear, server_second_port) == first, each.same_for_other_port);
    EXPECT_EQ(seen_by(nat, other_ear, other) == first, each.same_for_other_address);
  }
}

TEST_F(NatTest, FiltersByItsBehaviour) {
  struct Case {
    NatBehaviour filtering;
    bool hears_other_port, hears_other_address;
  };
  for (const Case& each : {Case{NatBehaviour::endpoint_independent, true, true},
                           Case{NatBehaviour::address_dependent, true, false},
                           Case{NatBehaviour::address_and_port_dependent, false, false}}) {
    Nat nat = make(NatBehaviour::endpoint_independent, each.filtering);
    nat.attach(inside.ip, inside_ear);
    const SocketAddress mapped = seen_by(nat, server_ear, server);
    EXPECT_TRUE(reaches_inside(server, mapped));
    EXPECT_EQ(reaches_inside(server_second_port, mapped), each.hears_other_port);
    EXPECT_EQ(reaches_inside(other, mapped), each.hears_other_address);
    (void)seen_by(nat, other_ear, other);
    EXPECT_TRUE(reaches_inside(other, mapped)) << "contacted, so let in";
  }
}

TEST_F(NatTest, ForgetsAMappingThatIsNotUsed) {
  Nat nat = make(NatBehaviour::endpoint_independent, NatBehaviour::endpoint_independent);
  nat.attach(inside.ip, inside_ear);
  const SocketAddress mapped = seen_by(nat, server_ear, server);
  world.run_for(minutes{3});
  EXPECT_EQ(seen_by(nat, server_ear, server), mapped) << "used in time";
  world.run_for(minutes{5});
  EXPECT_FALSE(reaches_inside(server, mapped)) << "inbound traffic does not keep it";
  EXPECT_EQ(nat.mappings(), 0U);
  EXPECT_NE(seen_by(nat, server_ear, server), mapped);
}

TEST_F(NatTest, ARestartChangesTheMapping) {
  Nat nat = make(NatBehaviour::endpoint_independent, NatBehaviour::endpoint_independent);
  nat.attach(inside.ip, inside_ear);
  const SocketAddress mapped = seen_by(nat, server_ear, server);
  nat.forget_mappings();
  EXPECT_FALSE(reaches_inside(server, mapped));
  EXPECT_NE(seen_by(nat, server_ear, server), mapped);
}

TEST_F(NatTest, PassesIcmpErrorsOn) {
  Nat nat = make(NatBehaviour::endpoint_independent, NatBehaviour::endpoint_independent);
  nat.attach(inside.ip, inside_ear);
  nat.send({inside, server, {1}, false});
  world.run_for(seconds{1});
  network.report_closed_port(server_ear.heard.back());
  world.run_for(seconds{1});
  ASSERT_EQ(inside_ear.errors.size(), 1U);
  EXPECT_EQ(inside_ear.errors[0].from, inside);
  EXPECT_EQ(inside_ear.errors[0].to, server);
  EXPECT_EQ(inside_ear.errors[0].icmp.type, 3);
}

using NetworkTest = NatTest;

TEST_F(NetworkTest, CarriesWhateverTheSenderWritesIntoIt) {
  network.send_spoofed({at("8.8.8.8:53"), server, {7}, false}, other.ip);
  world.run_for(seconds{1});
  ASSERT_EQ(server_ear.heard.size(), 1U);
  EXPECT_EQ(server_ear.heard[0].from, at("8.8.8.8:53"));
}

TEST_F(NetworkTest, TakesTheDelayOfBothLinks) {
  network.change_link(server.ip, {.delay = std::chrono::milliseconds{30}});
  network.change_link(other.ip, {.delay = std::chrono::milliseconds{5}});
  network.send({server, other, {7}, false});
  world.run_for(std::chrono::milliseconds{34});
  EXPECT_TRUE(other_ear.heard.empty());
  world.run_for(std::chrono::milliseconds{1});
  EXPECT_EQ(other_ear.heard.size(), 1U);
}

TEST_F(NetworkTest, TellsTheSenderThatADatagramMustNotBeFragmented) {
  network.change_link(other.ip, {.mtu = 1000});
  network.send({server, other, ByteVector(1200), true});
  network.send({server, other, ByteVector(1200), false});
  network.send({server, other, ByteVector(972), true});
  world.run_for(seconds{1});
  EXPECT_EQ(other_ear.heard.size(), 2U);
  ASSERT_EQ(server_ear.errors.size(), 1U);
  EXPECT_EQ(server_ear.errors[0].icmp, (stun::IcmpValue{3, 4, 1000}));
  EXPECT_EQ(server_ear.errors[0].to, other);
}

TEST_F(NetworkTest, AFilterSeesEverythingAndMayDropIt) {
  int seen = 0;
  network.filter_by([&](const Datagram& datagram) { return ++seen > 1 || datagram.to != other; });
  network.send({server, other, {1}, false});
  network.send({server, other, {2}, false});
  world.run_for(seconds{1});
  ASSERT_EQ(other_ear.heard.size(), 1U);
  EXPECT_EQ(other_ear.heard[0].bytes, ByteVector{2});
}

}  // namespace
}  // namespace turnpike::sim
