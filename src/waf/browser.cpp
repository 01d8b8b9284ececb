#include "waf/browser.hpp"

#include <algorithm>
#include <array>

#include "waf/endpoints.hpp"

namespace turnpike::waf {
namespace {

constexpr std::size_t mark_size = 16;

bool is_secure(const Settings& settings) { return settings.issuer.starts_with("https:"); }

// RFC 6265bis section 4.1.3.2: nobody on another host of the domain can set a __Host- cookie.
std::string cookie_name(const Settings& settings, std::string_view name) {
  return (is_secure(settings) ? "__Host-" : "") + std::string{name};
}

// Lax: the authorization request is a navigation from the application's page.
std::string format_cookie(const Settings& settings, std::string_view name, std::string_view value) {
  return cookie_name(settings, name) + '=' + std::string{value} + "; Path=/; HttpOnly; SameSite=Lax" +
         (is_secure(settings) ? "; Secure" : "");
}

std::string make_mark_at(const Visit& visit, std::uint64_t made_at, std::string_view browser,
                         std::string_view purpose, std::string_view content) {
  std::array<Byte, 8 + mark_size> bytes;
  store_big(bytes.data(), made_at);
  std::string signed_text{as_text({bytes.data(), 8})};
  for (const std::string_view part : {browser, purpose, content})
    signed_text.append(std::to_string(part.size())).append(1, ' ').append(part);
  const Digest mark = sign(visit.settings, "form", signed_text);
  std::copy_n(mark.begin(), mark_size, bytes.begin() + 8);
  return to_base64url(bytes);
}

// What no other browser has, and a mark that it goes with this name.
std::string make_known(const Settings& settings, std::string_view name, std::string_view salt) {
  const Digest mark = sign(settings, "known browser", std::string{salt} + '.' + std::string{name});
  return std::string{salt} + '.' + to_base64url(Bytes{mark}.first(mark_size));
}

}  // namespace

std::optional<Session> find_session(const Visit& visit) {
  const auto cookie = visit.request.find_cookie(cookie_name(visit.settings, "waf_session"));
  if (!cookie || cookie->empty()) return std::nullopt;
  auto session = visit.ledger.find_session(digest_of(*cookie), visit.now);
  if (!session) return std::nullopt;
  const auto user = visit.ledger.find_user(session->user);
  return user && user->is_enabled ? session : std::nullopt;
}

Session open_session(Visit& visit, std::string_view user, Response& response) {
  if (const auto old = find_session(visit)) visit.ledger.close_session(old->id);
  const std::string name = make_random_text(visit.random);
  Session session{.id = digest_of(name),
                  .user = std::string{user},
                  .began_at = visit.now,
                  .ends_at = visit.now + visit.settings.lifetimes.session};
  visit.ledger.open_session(session, visit.settings.limits.sessions_per_user_max);
  response.fields.emplace_back("Set-Cookie", format_cookie(visit.settings, "waf_session", name));
  return session;
}

std::optional<std::string_view> find_browser(const Visit& visit) {
  return visit.request.find_cookie(cookie_name(visit.settings, "waf_browser"));
}

std::string ensure_browser(Visit& visit, Fields& fields) {
  if (const auto cookie = find_browser(visit); cookie && cookie->size() >= 40) return std::string{*cookie};
  std::string name = make_random_text(visit.random);
  fields.emplace_back("Set-Cookie", format_cookie(visit.settings, "waf_browser", name));
  return name;
}

void remember_browser(Visit& visit, std::string_view name, Fields& fields) {
  const std::string known = make_known(visit.settings, name, make_random_text(visit.random));
  fields.emplace_back("Set-Cookie", format_cookie(visit.settings, "waf_known", known) + "; Max-Age=31536000");
}

bool is_known_browser(const Visit& visit, std::string_view name) {
  const auto cookie = visit.request.find_cookie(cookie_name(visit.settings, "waf_known"));
  if (!cookie) return false;
  const std::string expected = make_known(visit.settings, name, cookie->substr(0, cookie->find('.')));
  return crypto::equal_in_constant_time(as_bytes(expected), as_bytes(*cookie));
}

std::string make_mark(const Visit& visit, std::string_view browser, std::string_view purpose,
                      std::string_view content) {
  return make_mark_at(visit, static_cast<std::uint64_t>(std::max<std::int64_t>(0, unix_seconds(visit.now))),
                      browser, purpose, content);
}

bool is_own_form(const Visit& visit, const Form& form, std::string_view purpose, std::string_view content) {
  const auto origin = visit.request.find("origin");
  if (origin && *origin != endpoint::origin_of(visit.settings.issuer)) return false;
  const auto browser = find_browser(visit);
  const auto bytes = from_base64url(form.find("mark"));
  if (!browser || !bytes || bytes->size() != 8 + mark_size) return false;
  const auto made_at = load_big<std::uint64_t>(bytes->data());
  const WallTime at = from_unix_seconds(made_at);
  if (at > visit.now || visit.now >= at + visit.settings.lifetimes.form) return false;
  return crypto::equal_in_constant_time(as_bytes(make_mark_at(visit, made_at, *browser, purpose, content)),
                                        as_bytes(form.find("mark")));
}

}  // namespace turnpike::waf
