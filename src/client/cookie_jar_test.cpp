#include "client/cookie_jar.hpp"

#include <gtest/gtest.h>

namespace turnpike::client {
namespace {

HttpUrl at(std::string_view url) { return *HttpUrl::parse(url); }

TEST(CookieJar, GivesBackToTheHostThatGave) {
  CookieJar jar;
  jar.take(at("https://waf.example:8445/authorize?x=1"),
           "__Host-session=abc=; Path=/; Secure; HttpOnly; SameSite=Lax; Domain=example");
  jar.take(at("https://waf.example/"), "b=2; path=/");
  EXPECT_EQ(jar.find(at("https://waf.example/login")), "__Host-session=abc=; b=2");
  EXPECT_EQ(jar.find(at("http://waf.example/login")), "b=2");
  EXPECT_EQ(jar.find(at("https://other.example/login")), "");
  EXPECT_EQ(jar.find(at("https://a.waf.example/login")), "");
}

TEST(CookieJar, ReplacesAndForgets) {
  CookieJar jar;
  jar.take(at("https://waf.example/"), "a=1");
  jar.take(at("https://waf.example/"), "a=2; Max-Age=3600");
  EXPECT_EQ(jar.find(at("https://waf.example/")), "a=2");
  jar.take(at("https://waf.example/"), "a=; MAX-AGE=0");
  EXPECT_EQ(jar.find(at("https://waf.example/")), "");
}

TEST(CookieJar, KeepsToPaths) {
  CookieJar jar;
  jar.take(at("https://waf.example/a/b?c=/d"), "own=1");
  jar.take(at("https://waf.example/a/b"), "named=2; Path=/x");
  EXPECT_EQ(jar.find(at("https://waf.example/a")), "own=1");
  EXPECT_EQ(jar.find(at("https://waf.example/a/c")), "own=1");
  EXPECT_EQ(jar.find(at("https://waf.example/ab")), "");
  EXPECT_EQ(jar.find(at("https://waf.example/x/y")), "named=2");
}

TEST(CookieJar, TakesNoMoreThanItsLimits) {
  CookieJar jar{{.cookies_max = 2, .cookie_bytes_max = 8}};
  const HttpUrl url = at("https://waf.example/");
  for (const char* text : {"", "=", "=x", "nothing", ";;;", "toolong=value", "a=1", "b=2", "c=3"})
    jar.take(url, text);
  EXPECT_EQ(jar.find(url), "a=1; b=2");
  jar.take(at("http://waf.example/"), "a=9; Secure");  // from where it may have been forged
  EXPECT_EQ(jar.find(url), "a=1; b=2");
}

}  // namespace
}  // namespace turnpike::client
