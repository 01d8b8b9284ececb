#include "waf/forwarded.hpp"

#include <gtest/gtest.h>

namespace turnpike::waf {
namespace {

const IpAddress proxy = *IpAddress::parse("192.0.2.10");

std::string client(const Fields& fields, const IpAddress& peer = proxy) {
  const std::vector trusted{*IpPrefix::parse("192.0.2.0/28"), *IpPrefix::parse("2001:db8:1::/48")};
  return find_client_address(fields, peer, trusted).to_string();
}

TEST(ForwardedAddress, IsTheFirstThatIsNoProxyOfOurs) {
  EXPECT_EQ(client({{"X-Forwarded-For", "198.51.100.7"}}), "198.51.100.7");
  EXPECT_EQ(client({{"x-forwarded-for", "198.51.100.7, 192.0.2.3"}}), "198.51.100.7");
  EXPECT_EQ(client({{"X-Forwarded-For", "203.0.113.1 ,198.51.100.7,\t2001:db8:1::5"}}), "198.51.100.7")
      << "who is in front of the first proxy has written the rest himself";
  EXPECT_EQ(client({{"X-Forwarded-For", "198.51.100.7"}, {"A", "b"}, {"X-Forwarded-For", "192.0.2.3"}}),
            "198.51.100.7")
      << "several fields are one list";
  EXPECT_EQ(client({{"X-Forwarded-For", "[2001:db8::7]:4711"}}), "2001:db8::7");
  EXPECT_EQ(client({{"X-Forwarded-For", "[2001:db8::7]"}}), "2001:db8::7");
  EXPECT_EQ(client({{"X-Forwarded-For", "198.51.100.7:4711"}}), "198.51.100.7");
  EXPECT_EQ(client({{"X-Forwarded-For", "::ffff:198.51.100.7"}}), "198.51.100.7")
      << "one spelling, one count";
}

TEST(ForwardedAddress, IsNotWhatAStrangerSays) {
  const IpAddress stranger = *IpAddress::parse("198.51.100.99");
  EXPECT_EQ(client({{"X-Forwarded-For", "203.0.113.1"}}, stranger), "198.51.100.99");
  EXPECT_EQ(client({{"X-Forwarded-For", "192.0.2.1"}}, stranger), "198.51.100.99");
  EXPECT_EQ(client({}), "192.0.2.10");
  EXPECT_EQ(client({{"X-Forwarded-For", ""}}), "192.0.2.10");
  EXPECT_EQ(client({{"X-Forwarded-For", "nonsense, 192.0.2.3"}}), "192.0.2.3");
  EXPECT_EQ(client({{"X-Forwarded-For", "203.0.113.1, _hidden"}}), "192.0.2.10") << "nothing is skipped";
  EXPECT_EQ(client({{"X-Forwarded-For", "203.0.113.1,"}}), "192.0.2.10");
  std::string long_list = "203.0.113.1";
  for (int i = 0; i < 1000; ++i) long_list += ",192.0.2.1";
  EXPECT_EQ(client({{"X-Forwarded-For", long_list}}), "192.0.2.1") << "no farther than any row of proxies";
}

TEST(ForwardedAddress, IsThePeerWhereNobodyIsTrusted) {
  EXPECT_EQ(find_client_address({{"X-Forwarded-For", "203.0.113.1"}}, proxy, {}), proxy);
}

}  // namespace
}  // namespace turnpike::waf
