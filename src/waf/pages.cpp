#include "waf/pages.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/crypto.hpp"
#include "base/markup.hpp"
#include "waf/endpoints.hpp"

namespace turnpike::waf {
namespace {

constexpr std::string_view style =
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 "
    "1rem;color:#111;background:#fff}"
    "label{display:block;margin:1rem 0 .25rem}"
    "input,button{font:inherit;box-sizing:border-box;padding:.5rem;border:1px solid "
    "#555;border-radius:.25rem}"
    "input{width:100%}"
    "button{margin:1rem .5rem 0 0;padding:.5rem 1.25rem;background:#fff;color:#111}"
    "button.first{background:#0b5394;color:#fff;border-color:#0b5394}"
    "h2{font-size:1rem;margin:2rem 0 .5rem}"
    ".ways{list-style:none;margin:0;padding:0}"
    ".way{display:block;margin-top:.5rem;padding:.5rem 1.25rem;border:1px solid "
    "#555;border-radius:.25rem;background:#fff;color:#111;text-align:center;text-decoration:none}"
    ":focus-visible{outline:3px solid #b45309;outline-offset:2px}"
    ".problem{border-left:.25rem solid #b00020;padding:.25rem .75rem;color:#8a0018}";

const std::string& style_source() {
  static const std::string source = "'sha256-" + to_base64(crypto::sha256(as_bytes(style))) + "'";
  return source;
}

// CSP knows no host sources of IPv6, and takes schemes of applications as they are.
std::string to_source(std::string_view redirect_uri) {
  const std::string_view origin = endpoint::origin_of(redirect_uri);
  return std::string{origin.contains('[') ? "http:" : origin};
}

// Browsers hold redirects that answer a form against form-action, too.
Response make_page(const Settings& settings, unsigned status, std::string_view heading,
                   std::string_view content, std::string_view redirect_uri = {}) {
  const std::string forms = redirect_uri.empty() ? "'none'" : "'self' " + to_source(redirect_uri);
  Response response{.status = status};
  response.fields = {
      {"Content-Type", "text/html; charset=utf-8"},
      {"Cache-Control", "no-store"},
      {"Content-Security-Policy",
       fmt::format(
           "default-src 'none'; style-src {}; form-action {}; frame-ancestors 'none'; base-uri 'none'",
           style_source(), forms)},
      {"X-Frame-Options", "DENY"},
      {"X-Content-Type-Options", "nosniff"},
      // Not "no-referrer": with it, browsers send the forms with "Origin: null".
      {"Referrer-Policy", "same-origin"}};
  response.body = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0} - {1}</title>\n<style>{2}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n{3}</main>\n"
      "</body>\n</html>\n",
      escape_markup(heading), escape_markup(settings.title), style, content);
  return response;
}

std::string format_problem(std::string_view problem) {
  return problem.empty()
             ? ""
             : fmt::format("<p class=\"problem\" role=\"alert\">{}</p>\n", escape_markup(problem));
}

std::string format_form_start(const PageContext& page, std::string_view path) {
  return fmt::format(
      "<form method=\"post\" action=\"{}\">\n<input type=\"hidden\" name=\"request\" value=\"{}\">\n"
      "<input type=\"hidden\" name=\"mark\" value=\"{}\">\n",
      escape_markup(page.settings.issuer + std::string{path}), escape_markup(page.query),
      escape_markup(page.mark));
}

std::string_view name_of(const Client& client) { return client.name.empty() ? client.id : client.name; }

std::string format_password_form(const PageContext& page, std::string_view name) {
  return fmt::format(
      "{}<label for=\"name\">Name</label>\n"
      "<input id=\"name\" name=\"name\" value=\"{}\" autocomplete=\"username\" autocapitalize=\"none\" "
      "spellcheck=\"false\" maxlength=\"{}\" required{}>\n"
      "<label for=\"password\">Password</label>\n"
      "<input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" "
      "maxlength=\"{}\" required{}>\n"
      "<button class=\"first\" type=\"submit\">Log in</button>\n</form>\n",
      format_form_start(page, endpoint::login), escape_markup(name), page.settings.limits.name_bytes_max,
      name.empty() ? " autofocus" : "", page.settings.limits.password_bytes_max,
      name.empty() ? "" : " autofocus");
}

// Links: a form would be held against the policy at each redirect on the way to a page of the provider.
std::string format_providers(const std::vector<ProviderLink>& providers, bool are_others) {
  if (providers.empty()) return "";
  std::string content =
      are_others ? "<h2>Or with another account</h2>\n<ul class=\"ways\">\n" : "<ul class=\"ways\">\n";
  for (const ProviderLink& provider : providers)
    content += fmt::format("<li><a class=\"way\" href=\"{}\">Log in with {}</a></li>\n",
                           escape_markup(provider.uri), escape_markup(provider.title));
  return content + "</ul>\n";
}

}  // namespace

Response make_login_page(const PageContext& page, const std::vector<ProviderLink>& providers,
                         std::string_view name, std::string_view problem, unsigned status) {
  std::string content = fmt::format("{}<p>to go on to <strong>{}</strong></p>\n", format_problem(problem),
                                    escape_markup(name_of(page.client)));
  if (page.settings.offers_passwords) content += format_password_form(page, name);
  content += format_providers(providers, page.settings.offers_passwords);
  return make_page(page.settings, status, "Log in", content, page.redirect_uri);
}

Response make_consent_page(const PageContext& page, std::string_view user_name, const Scope& scope,
                           std::string_view other_user_uri) {
  std::string items;
  for (const std::string& token : scope) {
    const auto found = page.settings.scopes.find(token);
    items += fmt::format("<li>{}</li>\n",
                         escape_markup(found == page.settings.scopes.end() ? token : found->second));
  }
  return make_page(
      page.settings, 200, "Allow access?",
      fmt::format(
          "<p><strong>{}</strong> asks to act for you, <strong>{}</strong>:</p>\n<ul>\n{}</ul>\n"
          "{}<button class=\"first\" type=\"submit\" name=\"decision\" value=\"allow\">Allow</button>\n"
          "<button type=\"submit\" name=\"decision\" value=\"deny\">Deny</button>\n</form>\n"
          "<p><a href=\"{}\">Log in as somebody else</a></p>\n",
          escape_markup(name_of(page.client)), escape_markup(user_name), items,
          format_form_start(page, endpoint::consent), escape_markup(other_user_uri)),
      page.redirect_uri);
}

Response make_error_page(const Settings& settings, std::string_view problem, unsigned status,
                         std::string_view retry_uri) {
  const std::string next =
      retry_uri.empty()
          ? "<p>Go back to the application and try again.</p>\n"
          : fmt::format("<p><a class=\"way\" href=\"{}\">Try again</a></p>\n", escape_markup(retry_uri));
  return make_page(settings, status, "This did not work", format_problem(problem) + next);
}

}  // namespace turnpike::waf
