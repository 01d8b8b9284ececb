// Logins at pages that are played by hand.
#include "client/web_login.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace turnpike::client {
namespace {

constexpr std::string_view login_page =
    "<form method=post action=/login><input type=hidden name=mark value='m&amp;1'><input name=name>"
    "<input name=password type=password><button>Log in</button></form>";
constexpr std::string_view consent_page =
    "<form method=post action=\"https://waf.example/consent\"><input type=hidden name=mark value=m2>"
    "<button name=decision value=allow>Yes</button><button name=decision value=deny>No</button></form>";

HttpReply page(unsigned status, std::string_view body) {
  return {.status = status, .body = std::string{body}};
}
HttpReply redirect(std::string location, unsigned status = 303) {
  return {.status = status, .fields = {{"location", std::move(location)}}};
}

class Login : public ::testing::Test {
 protected:
  using Answer = std::function<HttpReply(const HttpAsk&)>;
  // Each answer to one request, in their order; all of them are asked for.
  std::expected<std::string, HttpFailure> log_in(const std::vector<Answer>& answers) {
    std::size_t next = 0;
    auto result = log_in_at_pages(request, {.name = "alice", .password = Secret::from_text("wonder land")},
                                  [&](const HttpAsk& ask) -> std::expected<HttpReply, HttpFailure> {
                                    asked.push_back(ask);
                                    if (next >= answers.size())
                                      return std::unexpected(HttpFailure{"asked once too often", ""});
                                    return answers[next++](ask);
                                  });
    EXPECT_EQ(asked.size(), answers.size());
    return result;
  }
  std::string failure(const std::vector<Answer>& answers) {
    const auto result = log_in(answers);
    return result ? "logged in" : result.error().found;
  }
  [[nodiscard]] std::string done() const { return request.redirect_uri + "?code=c&state=" + request.state; }
  [[nodiscard]] bool has_said_password() const {
    return std::ranges::any_of(
        asked, [](const HttpAsk& ask) { return ask.body.find("wonder") != std::string::npos; });
  }

  AuthorizationRequest request{
      .url = "https://waf.example/authorize?x=1", .redirect_uri = "http://127.0.0.1/done", .state = "s"};
  std::vector<HttpAsk> asked{};
};

TEST_F(Login, FillsTheFormAndAgrees) {
  const auto result = log_in({
      [](const HttpAsk&) {
        auto first = page(200, login_page);
        first.fields = {{"Set-Cookie", "browser=b; Secure; Path=/"}};
        return first;
      },
      [](const HttpAsk&) {
        auto back = redirect("/authorize?x=1");
        back.fields.emplace_back("set-cookie", "session=s; Secure; Path=/");
        return back;
      },
      [](const HttpAsk&) { return page(200, consent_page); },
      [&](const HttpAsk&) { return redirect(done()); },
  });
  ASSERT_TRUE(result) << result.error().found;
  EXPECT_EQ(*result, done());
  EXPECT_EQ(asked[1].method, "POST");
  EXPECT_EQ(asked[1].url.to_string(), "https://waf.example/login");
  EXPECT_EQ(asked[1].body, "mark=m%261&name=alice&password=wonder%20land");
  EXPECT_EQ(asked[1].fields.back(), (std::pair<std::string, std::string>{"Cookie", "browser=b"}));
  EXPECT_EQ(asked[2].method, "GET");
  EXPECT_EQ(asked[2].body, "");
  EXPECT_EQ(asked[2].fields.back().second, "browser=b; session=s");
  EXPECT_EQ(asked[3].body, "mark=m2&decision=allow");
}

TEST_F(Login, BringsARedirectWithAnErrorToo) {
  const std::string denied = request.redirect_uri + "?error=access_denied&state=s";
  EXPECT_EQ(*log_in({[&](const HttpAsk&) { return redirect(denied, 302); }}), denied);
}

TEST_F(Login, IsRefusedInTheWordsOfThePage) {
  const std::string again = "<p role=alert>Not so.</p>" + std::string{login_page};
  EXPECT_EQ(failure({[](const HttpAsk&) { return page(200, login_page); },
                     [&](const HttpAsk&) { return page(403, again); }}),
            "the login of alice was refused with 403: \"Not so.\"");
}

TEST_F(Login, SaysHowLongItIsLocked) {
  const auto result = log_in({[](const HttpAsk&) {
    auto locked = page(429, login_page);
    locked.fields = {{"Retry-After", "30"}};
    return locked;
  }});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().advice, "Try again in 30 s.");
  EXPECT_FALSE(has_said_password());
}

TEST_F(Login, TellsThePasswordToNobodyElse) {
  EXPECT_EQ(failure({[](const HttpAsk&) { return redirect("https://evil.example/login"); },
                     [](const HttpAsk&) { return page(200, login_page); }}),
            "the password is asked for by https://evil.example:443, not by https://waf.example:443");
  asked.clear();
  for (const char* action : {"https://evil.example/login", "http://waf.example/login", "//evil.example",
                             "https://waf.example:444/login", "javascript:x"}) {
    asked.clear();
    std::string elsewhere{login_page};
    elsewhere.replace(elsewhere.find("/login"), 6, "'" + std::string{action} + "'");
    EXPECT_EQ(failure({[&](const HttpAsk&) { return page(200, elsewhere); }}),
              "a form of https://waf.example:443 would be sent to another server");
    EXPECT_FALSE(has_said_password());
  }
  asked.clear();
  EXPECT_EQ(failure({[](const HttpAsk&) { return redirect("http://waf.example/login"); }}),
            "the login leads to http://waf.example:80, which is not encrypted");
}

TEST_F(Login, IsNotSentOnWithItsPassword) {
  EXPECT_EQ(failure({[](const HttpAsk&) { return page(200, login_page); },
                     [](const HttpAsk&) { return redirect("https://evil.example/", 307); }}),
            "https://waf.example:443 would have the form sent on to https://evil.example:443");
  asked.clear();
  const auto result = log_in({[](const HttpAsk&) { return page(200, login_page); },
                              [](const HttpAsk&) { return redirect("/login2", 308); },
                              [&](const HttpAsk&) { return redirect(done()); }});
  ASSERT_TRUE(result);
  EXPECT_EQ(asked[2].body, asked[1].body);
  EXPECT_EQ(asked[2].method, "POST");
}

TEST_F(Login, EndsSomewhere) {
  const std::vector<Answer> round(20, [](const HttpAsk&) { return redirect("/authorize"); });
  EXPECT_EQ(failure(round), "the login at https://waf.example:443 goes on after 20 pages");
  asked.clear();
  const std::vector<Answer> asks(20, [](const HttpAsk&) { return page(200, consent_page); });
  EXPECT_EQ(failure(asks), "the login at https://waf.example:443 goes on after 20 pages");
}

TEST_F(Login, SaysWhatItFoundInsteadOfAForm) {
  EXPECT_EQ(failure({[](const HttpAsk&) { return page(400, "<p role=alert>no such client</p>"); }}),
            "the login page answers 400: \"no such client\"");
  asked.clear();
  EXPECT_EQ(failure({[](const HttpAsk&) { return page(200, "hello"); }}),
            "the login page answers 200, and no form");
  asked.clear();
  EXPECT_EQ(failure({[](const HttpAsk&) { return redirect("com.example.app:/done?code=x"); }}),
            "the login ends at an address that this client has not asked for");
}

}  // namespace
}  // namespace turnpike::client
