// Any bytes as what a web server may answer to a WIC that logs in: pages with forms, cookies, references,
// redirects, metadata and tokens. The first byte says which.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "client/cookie_jar.hpp"
#include "client/html_form.hpp"
#include "client/oauth.hpp"
#include "target.hpp"

namespace turnpike::client {
namespace {

constexpr WallTime wall{std::chrono::seconds{1'893'456'000}};

void check_page(std::string_view text) {
  constexpr HtmlLimits limits{.forms_max = 3, .fields_max = 4, .value_bytes_max = 64, .alert_bytes_max = 32};
  const HtmlPage page = parse_html(text, limits);
  check(page.forms.size() <= limits.forms_max && page.alert.size() <= limits.alert_bytes_max,
        "a limit does not hold");
  for (const HtmlForm& form : page.forms) {
    check(form.fields.size() <= limits.fields_max, "a limit does not hold");
    check(form.find_name_field() == nullptr || form.find("password") != nullptr,
          "a name belongs to a password");
  }
}

void check_cookies(std::string_view text) {
  CookieJar jar{{.cookies_max = 3, .cookie_bytes_max = 64}};
  const HttpUrl from = *HttpUrl::parse("https://waf.example/a/b");
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    jar.take(from, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  check(jar.find(from).size() <= 3 * (64 + 3), "a limit does not hold");
  check(jar.find(*HttpUrl::parse("https://other.example/a/b")).empty(), "a cookie went to another host");
}

void check_reference(std::string_view text) {
  const auto url = HttpUrl::parse("https://waf.example/a/b?c")->resolve(text);
  if (!url) return;
  check(HttpUrl::parse(url->to_string()) == *url, "a URL is not read as it is written");
  check(url->target.starts_with('/'), "a target has a path");
}

void check_redirect(std::string_view text) {
  const AuthorizationRequest request{.redirect_uri = "http://127.0.0.1:9/done", .state = "s"};
  const OAuthServer server{.issuer = "https://waf.example"};
  const auto code = read_redirect(text, request, server);
  if (!code) return;
  check(is_redirect(text, request) && !code->empty(), "a code came by another way");
}

void check_answers(std::string_view text) {
  if (const auto server = parse_metadata(text, "https://waf.example"))
    check(HttpUrl::parse(server->token_endpoint).has_value(), "an endpoint is no URL");
  if (const auto tokens = parse_token_answer(200, text, wall)) {
    check(tokens->turn || !tokens->registration.empty(), "an answer without a token is taken");
    check(tokens->refresh_after.count() >= 0, "a renewal lies in the past");
  }
  static_cast<void>(find_token_holder(Secret::from_text("a." + to_base64url(as_bytes(text)) + ".b")));
}

}  // namespace
}  // namespace turnpike::client

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike;
  if (size == 0) return 0;
  const std::string_view text = as_text({data + 1, size - 1});
  switch (data[0] % 5) {
    case 0:
      client::check_page(text);
      break;
    case 1:
      client::check_cookies(text);
      break;
    case 2:
      client::check_reference(text);
      break;
    case 3:
      client::check_redirect(text);
      break;
    default:
      client::check_answers(text);
  }
  return 0;
}
