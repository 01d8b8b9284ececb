#include "waf/stun_key.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "waf/endpoints.hpp"
#include "waf/form.hpp"

namespace turnpike::waf {
namespace {

using Json = nlohmann::ordered_json;

StunKeyAnswer refuse(unsigned status, std::string_view why, Fields more = {}) {
  Response response{.status = status,
                    .fields = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
                    .body = Json{{"error", why}}.dump()};
  response.fields.insert(response.fields.end(), more.begin(), more.end());
  return {.response = std::move(response)};
}

bool stands_for(const Request& request, const TurnTarget& target) {
  return std::ranges::any_of(target.certificate_names, [&](const std::string& wanted) {
    return std::ranges::any_of(request.certificate_names,
                               [&](const std::string& name) { return equal_ignoring_case(name, wanted); });
  });
}

// k: RFC 7518 section 6.4.1, exp: RFC 7519, kid: RFC 7515, enc: RFC 7516. What was made with it before "exp"
// is accepted until "accepted_until", which is ours.
Json to_json(const StoredTurnKey& key) {
  return {{"k", to_base64url(key.key.reveal())},
          {"exp", unix_seconds(key.used_until)},
          {"kid", key.kid},
          {"enc", credentials::to_string(key.algorithm)},
          {"accepted_until", unix_seconds(key.accepted_until)}};
}

std::string format_keys(const Settings& settings, const std::vector<const StoredTurnKey*>& keys) {
  Json all = Json::array();
  Json withdrawn = Json::array();
  for (const StoredTurnKey* key : keys) {
    if (key->is_withdrawn)
      withdrawn.push_back(key->kid);
    else
      all.push_back(to_json(*key));
  }
  Json answer = all.empty() ? Json::object() : all.front();
  answer.erase("accepted_until");
  answer["keys"] = std::move(all);
  if (!withdrawn.empty()) answer["withdrawn"] = std::move(withdrawn);
  answer["refresh_after"] = settings.turn_keys.refresh_after.count();
  return answer.dump();
}

}  // namespace

StunKeyAnswer answer_stun_key(const Settings& settings, const TurnKeyRing& keys, const Request& request,
                              WallTime now) {
  if (request.path != endpoint::stun_key) return refuse(404, "there is nothing here");
  if (request.method != "GET") return refuse(405, "this takes GET alone", {{"Allow", "GET"}});
  const auto query = Form::parse(request.query, settings.limits.form);
  if (!query) return refuse(400, to_string(query.error()));
  const std::string_view service = query->find("service");
  if (!service.empty() && service != "stun" && service != "turn")
    return refuse(400, "service is stun, or turn");
  const std::string_view name = query->find("name");
  if (name.empty()) return refuse(400, "name is missing: the TURN server's");
  const auto target = std::ranges::find_if(
      settings.turn, [&](const TurnTarget& it) { return it.fetches_keys && it.token.server_name == name; });
  // One answer for both, so that certificates do not find out what else is served.
  if (target == settings.turn.end() || !stands_for(request, *target))
    return refuse(403, "the certificate does not stand for this TURN server");
  return {.response = {.status = 200,
                       .fields = {{"Content-Type", "application/json"},
                                  {"Cache-Control", "no-store"},
                                  {"Date", format_http_date(now)}},
                       .body = format_keys(settings, keys.keys_of(name))},
          .server_name = target->token.server_name};
}

std::string format_http_date(WallTime at) {
  constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(at - day)};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[std::chrono::weekday{day}.c_encoding()],
                     static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

}  // namespace turnpike::waf
