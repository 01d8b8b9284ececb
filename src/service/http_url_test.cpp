#include "service/http_url.hpp"

#include <gtest/gtest.h>

namespace turnpike::service {
namespace {

TEST(HttpUrl, HasPartsWithTheDefaultsOfItsScheme) {
  const auto url = HttpUrl::parse("https://WAF.example/introspect?x=1#here");

  ASSERT_TRUE(url);
  EXPECT_TRUE(url->is_secure);
  EXPECT_EQ(url->host, "waf.example");
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(url->target, "/introspect?x=1");
  EXPECT_EQ(url->authority(), "waf.example");
  EXPECT_EQ(url->origin(), "https://waf.example:443");
  EXPECT_EQ(HttpUrl::parse("http://a?b=c")->target, "/?b=c");
  EXPECT_EQ(HttpUrl::parse("http://a")->port, 80);
}

TEST(HttpUrl, TakesAddressesAndPorts) {
  EXPECT_EQ(HttpUrl::parse("http://[::1]:8080/")->authority(), "[::1]:8080");
  EXPECT_EQ(HttpUrl::parse("http://[::1]:8080/")->host, "::1");
  EXPECT_EQ(HttpUrl::parse("https://192.0.2.7:443/a")->authority(), "192.0.2.7");
}

TEST(HttpUrl, KnowsLoopback) {
  for (const char* text : {"http://localhost:1/", "http://127.0.0.1/", "http://127.9.9.9", "http://[::1]/",
                           "http://[::ffff:127.0.0.1]/"})
    EXPECT_TRUE(HttpUrl::parse(text)->is_loopback()) << text;
  for (const char* text : {"http://localhost.example/", "http://128.0.0.1/", "http://[::2]/"})
    EXPECT_FALSE(HttpUrl::parse(text)->is_loopback()) << text;
}

TEST(HttpUrl, IsNothingWhereItIsMalformedOrHidesWhereItLeads) {
  for (const char* text :
       {"", "waf.example", "ftp://waf.example/", "https://", "https:///path", "https://user@waf.example/",
        "https://user:pw@waf.example/", "https://waf.example:/", "https://waf.example:0/",
        "https://waf.example:65536/", "https://waf.example:80x/", "https://[::1", "https://[::1]x/",
        "https://[1.2.3.4]/", "https://a b/", "https://a/\r\nX: y", "https://a/\x80", "https://a\\b/"})
    EXPECT_FALSE(HttpUrl::parse(text)) << text;
}

}  // namespace
}  // namespace turnpike::service
