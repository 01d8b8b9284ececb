#include "base/http_url.hpp"

#include <gtest/gtest.h>

namespace turnpike {
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

std::string led(std::string_view from, std::string_view reference) {
  const auto url = HttpUrl::parse(from)->resolve(reference);
  return url ? url->to_string() : "nowhere";
}

TEST(HttpUrl, FindsWhereAReferenceLeads) {
  constexpr std::string_view from = "https://waf.example:8445/a/b?c=d";
  EXPECT_EQ(led(from, "https://other.example/x"), "https://other.example/x");
  EXPECT_EQ(led(from, "//other.example/x"), "https://other.example/x");
  EXPECT_EQ(led(from, "/login?x=1#y"), "https://waf.example:8445/login?x=1");
  EXPECT_EQ(led(from, "login"), "https://waf.example:8445/a/login");
  EXPECT_EQ(led(from, "../../login?next=../x"), "https://waf.example:8445/login?next=../x");
  EXPECT_EQ(led(from, "./"), "https://waf.example:8445/a/");
  EXPECT_EQ(led(from, "?e=f"), "https://waf.example:8445/a/b?e=f");
  EXPECT_EQ(led(from, ""), from);
  EXPECT_EQ(led("http://[::1]:8080/x", "y?at=12:30"), "http://[::1]:8080/y?at=12:30");
  for (const char* reference : {"javascript:alert(1)", "com.example:/done", "//user@other.example/", "/a b"})
    EXPECT_EQ(led(from, reference), "nowhere") << reference;
}

}  // namespace
}  // namespace turnpike
