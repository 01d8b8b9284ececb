#include "client/html_form.hpp"

#include <gtest/gtest.h>

namespace turnpike::client {
namespace {

TEST(HtmlForm, HasFieldsWithWhatTheyHold) {
  const HtmlPage page = parse_html(
      "<!DOCTYPE html><title><form></title><p class=\"problem\" role=\"alert\">\n No, &lt;alice&gt;: "
      "wrong.</p>"
      "<form method=\"POST\" action=\"https://waf.example/login?a=1&amp;b=2\">"
      "<input type=hidden name=mark value='a&quot;b&#39;c&#x27;&#8364;'>"
      "<input id=\"name\" name=\"name\" value=\"\" required>"
      "<input name=\"password\" type=\"Password\" maxlength=\"9\"/>"
      "<button class=\"first\" type=\"submit\" name=\"decision\" value=\"allow\">Go</button>"
      "<button type=\"button\" name=\"show\">Show</button></form>");
  EXPECT_EQ(page.alert, "No, <alice>: wrong.");
  ASSERT_EQ(page.forms.size(), 1U);
  const HtmlForm& form = page.forms.front();
  EXPECT_TRUE(form.is_post);
  EXPECT_EQ(form.action, "https://waf.example/login?a=1&b=2");
  ASSERT_EQ(form.fields.size(), 4U);
  EXPECT_EQ(form.fields[0].value, "a\"b'c'\xe2\x82\xac");
  EXPECT_EQ(form.find("password")->name, "password");
  EXPECT_EQ(form.find_name_field()->name, "name");
  EXPECT_EQ(form.find("submit")->value, "allow");
  EXPECT_EQ(form.find("checkbox"), nullptr);
}

TEST(HtmlForm, IsNotFoundInScriptsCommentsAndTexts) {
  const HtmlPage page = parse_html(
      "<script>document.write('<form action=evil>')</script><!-- <form action=old> "
      "--><textarea><form></textarea>"
      "<style>a::before{content:'<form>'}</style><FORM METHOD=get ACTION=real><INPUT NAME=q></FORM>"
      "<input type=password name=outside>");
  ASSERT_EQ(page.forms.size(), 1U);
  EXPECT_EQ(page.forms.front().action, "real");
  EXPECT_FALSE(page.forms.front().is_post);
  EXPECT_EQ(page.forms.front().find("password"), nullptr);
  EXPECT_EQ(page.forms.front().find_name_field(), nullptr);
}

TEST(HtmlForm, TakesTheFirstOfTwoAttributesAsBrowsersDo) {
  const HtmlPage page = parse_html("<form action=first action=second></form><form><form></form>");
  ASSERT_EQ(page.forms.size(), 2U);  // a form in a form is none
  EXPECT_EQ(page.forms.front().action, "first");
}

TEST(HtmlForm, EndsWhereThePageIsCutOff) {
  const std::string whole =
      "<p role=alert>no</p><!-- c --><form action='a&amp;b' method=post><input name=\"n\" value=v "
      "type=password>"
      "<script>x</script></form>";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const HtmlPage page = parse_html(std::string_view{whole}.substr(0, size));
    EXPECT_LE(page.forms.size(), 1U) << size;
  }
  for (const char* html :
       {"<", "</", "<form", "<form a", "<form a=", "<form a='", "<!--", "<=>", "< >", "<form ==>",
        "<input ='x'>", "<script", "&", "<form action=&;&#;&#x;&#xd800;&#9999999999;&amp>"})
    EXPECT_LE(parse_html(html).forms.size(), 1U) << html;
}

TEST(HtmlForm, IsReadWithinLimits) {
  std::string html = "<p role=alert>" + std::string(1000, 'x') + "</p><form>";
  for (int i = 0; i < 1000; ++i) html += "<input name=a>";
  html += "</form>";
  for (int i = 0; i < 100; ++i) html += "<form action=" + std::string(100, 'a') + "></form>";
  const HtmlPage page = parse_html(html, {.forms_max = 3, .fields_max = 5, .value_bytes_max = 50});
  EXPECT_EQ(page.forms.size(), 3U);
  EXPECT_EQ(page.forms.front().fields.size(), 5U);
  EXPECT_EQ(page.forms.back().action, "");  // it was too long
  EXPECT_EQ(page.alert.size(), 300U);
}

}  // namespace
}  // namespace turnpike::client
