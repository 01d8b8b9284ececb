#include "client/web_login.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/cookie_jar.hpp"
#include "client/html_form.hpp"

namespace turnpike::client {
namespace {

constexpr int steps_max = 20;  // pages and redirects

std::unexpected<HttpFailure> refuse(std::string found, std::string advice = {}) {
  return std::unexpected(HttpFailure{std::move(found), std::move(advice)});
}

bool is_field(std::string_view name, std::string_view lowered) {
  return std::ranges::equal(name, lowered, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

class Visit {
 public:
  Visit(const AuthorizationRequest& request, const WebLogin& login, Fetch fetch)
      : request_(request), login_(login), fetch_(fetch) {}
  std::expected<std::string, HttpFailure> run();

 private:
  using Step = std::expected<void, HttpFailure>;
  Step go_to(HttpUrl url);
  Step follow(const HttpReply& reply, const std::string& location);
  Step on_page(const HttpReply& reply);
  Step fill(const HtmlForm& form);
  Step agree(const HtmlForm& form);
  Step submit(const HtmlForm& form, const FormFields& fields);
  [[nodiscard]] HttpFailure explain_page(const HttpReply& reply, const HtmlPage& page) const;

  const AuthorizationRequest& request_;
  const WebLogin& login_;
  Fetch fetch_;
  CookieJar jar_{};
  HttpAsk ask_{};
  std::string origin_{};  // where the login began
  bool has_shown_password_ = false;
};

std::expected<std::string, HttpFailure> Visit::run() {
  const auto start = HttpUrl::parse(request_.url);
  if (!start) return refuse(fmt::format("{} is no web address", request_.url));
  origin_ = start->origin();
  if (auto step = go_to(*start); !step) return std::unexpected(std::move(step.error()));
  for (int i = 0; i < steps_max; ++i) {
    if (const std::string cookies = jar_.find(ask_.url); !cookies.empty())
      ask_.fields.emplace_back("Cookie", cookies);
    const auto reply = fetch_(ask_);
    if (!reply) return std::unexpected(reply.error());
    for (const auto& [name, value] : reply->fields)
      if (is_field(name, "set-cookie")) jar_.take(ask_.url, value);
    const auto location =
        reply->status >= 300 && reply->status < 400 ? reply->find("Location") : std::nullopt;
    if (location && is_redirect(*location, request_)) return std::string{*location};
    auto step = location ? follow(*reply, std::string{*location}) : on_page(*reply);
    if (!step) return std::unexpected(std::move(step.error()));
  }
  return refuse(fmt::format("the login at {} goes on after {} pages", origin_, steps_max),
                "Log in with a browser: leave the password out.");
}

Visit::Step Visit::go_to(HttpUrl url) {
  if (!url.is_secure && !url.is_loopback())
    return refuse(fmt::format("the login leads to {}, which is not encrypted", url.origin()));
  ask_ = {.method = "GET", .url = std::move(url)};
  return {};
}

Visit::Step Visit::follow(const HttpReply& reply, const std::string& location) {
  auto next = ask_.url.resolve(location);
  if (!next)
    return refuse("the login ends at an address that this client has not asked for",
                  "Is the redirect URI registered for it, to the letter?");
  // RFC 9110 section 15.4: these two would carry the form on, with what it holds.
  const bool is_repeated = reply.status == 307 || reply.status == 308;
  if (!is_repeated || ask_.method == "GET") return go_to(*std::move(next));
  if (next->origin() != ask_.url.origin())
    return refuse(fmt::format("{} would have the form sent on to {}", origin_, next->origin()));
  ask_.url = *std::move(next);
  std::erase_if(ask_.fields, [](const auto& field) { return field.first == "Cookie"; });
  return {};
}

Visit::Step Visit::on_page(const HttpReply& reply) {
  const HtmlPage page = parse_html(reply.body);
  const auto asks_password = [](const HtmlForm& form) {
    return form.is_post && form.find("password") != nullptr;
  };
  const auto form = std::ranges::find_if(page.forms, asks_password);
  // RFC 6585 section 4: it would not look at the password.
  const bool may_log_in = form != page.forms.end() && !has_shown_password_ && reply.status != 429;
  if (may_log_in) return fill(*form);
  const auto consent = std::ranges::find_if(page.forms, [](const HtmlForm& one) { return one.is_post; });
  if (reply.status == 200 && form == page.forms.end() && consent != page.forms.end()) return agree(*consent);
  return std::unexpected(explain_page(reply, page));
}

HttpFailure Visit::explain_page(const HttpReply& reply, const HtmlPage& page) const {
  const std::string words = page.alert.empty() ? std::string{} : fmt::format(": \"{}\"", page.alert);
  if (reply.status == 429) {
    const auto after = reply.find("Retry-After");
    const bool is_number =
        after && !after->empty() && after->find_first_not_of("0123456789") == std::string_view::npos;
    return {fmt::format("the login of {} is locked for a while{}", login_.name, words),
            is_number ? fmt::format("Try again in {} s.", *after) : "Try again later."};
  }
  if (has_shown_password_ && !page.forms.empty())
    return {fmt::format("the login of {} was refused with {}{}", login_.name, reply.status, words),
            "Check the name and the password; `turnpike user list` shows who is known to the WAF."};
  return {fmt::format("the login page answers {}{}", reply.status, words.empty() ? ", and no form" : words),
          "Is the client registered there, with this redirect URI? `turnpike client list` shows it."};
}

Visit::Step Visit::fill(const HtmlForm& form) {
  if (ask_.url.origin() != origin_)
    return refuse(fmt::format("the password is asked for by {}, not by {}", ask_.url.origin(), origin_),
                  "Log in with a browser: leave the password out.");
  const HtmlField* name = form.find_name_field();
  const HtmlField* password = form.find("password");
  if (name == nullptr)
    return refuse("the login page asks for a password without a name", "Log in with a browser.");
  FormFields fields;
  for (const HtmlField& field : form.fields) {
    if (&field == name)
      fields.emplace_back(field.name, login_.name);
    else if (&field == password)
      fields.emplace_back(field.name, login_.password.reveal_text());
    else if (field.type == "hidden" || field.is_checked)
      fields.emplace_back(field.name, field.value);
  }
  has_shown_password_ = true;
  return submit(form, fields);
}

// The first button of the form.
Visit::Step Visit::agree(const HtmlForm& form) {
  FormFields fields;
  for (const HtmlField& field : form.fields)
    if (field.type == "hidden" || field.is_checked) fields.emplace_back(field.name, field.value);
  const HtmlField* button = form.find("submit");
  if (button != nullptr && !button->name.empty()) fields.emplace_back(button->name, button->value);
  return submit(form, fields);
}

Visit::Step Visit::submit(const HtmlForm& form, const FormFields& fields) {
  auto target = ask_.url.resolve(form.action);
  if (!target || target->origin() != origin_)
    return refuse(fmt::format("a form of {} would be sent to another server", origin_),
                  "Log in with a browser: leave the password out.");
  ask_ = {.method = "POST",
          .url = *std::move(target),
          .fields = {{"Content-Type", "application/x-www-form-urlencoded"}},
          .body = encode_form(fields)};
  return {};
}

}  // namespace

std::expected<std::string, HttpFailure> log_in_at_pages(const AuthorizationRequest& request,
                                                        const WebLogin& login, Fetch fetch) {
  return Visit{request, login, fetch}.run();
}

}  // namespace turnpike::client
