#include "service/stun_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "jose/json.hpp"

namespace turnpike::service {
namespace {

using Json = nlohmann::json;

constexpr jose::JsonLimits json_limits{.bytes_max = stun_answer_bytes_max, .depth_max = 3, .values_max = 512};
constexpr std::chrono::seconds life_max{std::chrono::hours{24 * 366 * 10}};

using Problem = std::unexpected<std::string>;

// NumericDate of RFC 7519, which may have a fraction.
std::optional<WallTime> find_time(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds >= 0) || seconds > 4e12) return std::nullopt;
  return from_unix_seconds(static_cast<std::uint64_t>(seconds));
}

std::expected<std::string, std::string> read_kid(const Json& kid, const StunKeyRules& rules) {
  const auto* text = kid.get_ptr<const std::string*>();
  if (text == nullptr || text->empty() || text->size() > stun_kid_bytes_max)
    return Problem{fmt::format("kid: allowed: 1 to {} characters", stun_kid_bytes_max)};
  if (std::ranges::any_of(*text, [](unsigned char c) { return c <= 0x20 || c >= 0x7f; }))
    return Problem{
        "kid: found a space, a control character or one beyond ASCII, allowed: a name without any"};
  if (!text->starts_with(rules.kid_prefix))
    return Problem{
        fmt::format("kid: found \"{}\", allowed: what begins with \"{}\", as this provider's kids do", *text,
                    rules.kid_prefix)};
  return *text;
}

std::expected<StunKey, std::string> read_key(const Json& object, const StunKeyRules& rules) {
  if (!object.is_object()) return Problem{"a key: allowed: an object with k, exp, kid and enc"};
  StunKey key;
  auto kid = read_kid(object.value("kid", Json{}), rules);
  if (!kid) return Problem{std::move(kid.error())};
  key.kid = std::move(*kid);
  const std::string* enc = jose::find_text(object, "enc");
  const auto algorithm = enc == nullptr ? std::nullopt : credentials::parse_token_algorithm(*enc);
  if (!algorithm) return Problem{fmt::format("the key {}: enc: allowed: A256GCM, A128GCM", key.kid)};
  key.algorithm = *algorithm;
  const std::string* k = jose::find_text(object, "k");
  auto bytes = k == nullptr ? std::nullopt : from_base64url(*k);
  if (!bytes || bytes->size() != credentials::key_size(*algorithm))
    return Problem{fmt::format("the key {}: k: allowed: base64url of {} bytes", key.kid,
                               credentials::key_size(*algorithm))};
  key.key = Secret{*bytes};
  wipe(*bytes);
  const auto ends_at = find_time(object, "exp");
  if (!ends_at) return Problem{fmt::format("the key {}: exp: allowed: seconds since 1970", key.kid)};
  key.ends_at = *ends_at;
  const WallTime latest = WallTime::max() - life_max;  // so that sums do not run over
  key.ends_at = std::min(key.ends_at, latest);
  const auto accepted = find_time(object, "accepted_until");
  key.accepted_until = accepted ? std::clamp(*accepted, key.ends_at, latest) : key.ends_at + rules.keep;
  return key;
}

std::expected<std::vector<StunKey>, std::string> read_all(const Json& answer, const StunKeyRules& rules) {
  std::vector<StunKey> keys;
  const auto list = answer.find("keys");
  const Json all = list == answer.end() ? Json::array({answer}) : *list;
  if (!all.is_array() || all.empty() || all.size() > stun_keys_max)
    return Problem{fmt::format("keys: allowed: a list of 1 to {} keys", stun_keys_max)};
  for (const Json& object : all) {
    auto key = read_key(object, rules);
    if (!key) return Problem{std::move(key.error())};
    if (std::ranges::find(keys, key->kid, &StunKey::kid) != keys.end())
      return Problem{fmt::format("the kid {} occurs twice", key->kid)};
    keys.push_back(std::move(*key));
  }
  return keys;
}

std::expected<std::vector<std::string>, std::string> read_withdrawn(const Json& answer,
                                                                    const StunKeyRules& rules) {
  std::vector<std::string> kids;
  const auto list = answer.find("withdrawn");
  if (list == answer.end()) return kids;
  if (!list->is_array() || list->size() > stun_keys_max)
    return Problem{fmt::format("withdrawn: allowed: a list of at most {} kids", stun_keys_max)};
  for (const Json& text : *list) {
    auto kid = read_kid(text, rules);
    if (!kid) return Problem{"withdrawn: " + kid.error()};
    kids.push_back(std::move(*kid));
  }
  return kids;
}

}  // namespace

std::expected<StunKeys, std::string> parse_stun_keys(std::string_view body, const StunKeyRules& rules) {
  const auto answer = jose::parse_json(body, json_limits);
  if (!answer || !answer->is_object()) return Problem{"the answer is no JSON object"};
  auto keys = read_all(*answer, rules);
  if (!keys) return Problem{std::move(keys.error())};
  auto withdrawn = read_withdrawn(*answer, rules);
  if (!withdrawn) return Problem{std::move(withdrawn.error())};
  for (const std::string& kid : *withdrawn)
    if (std::ranges::find(*keys, kid, &StunKey::kid) != keys->end())
      return Problem{fmt::format("the key {} is withdrawn, and is there", kid)};
  StunKeys read{.keys = std::move(*keys), .withdrawn = std::move(*withdrawn)};
  const auto refresh = answer->find("refresh_after");
  if (refresh != answer->end() && refresh->is_number_unsigned())
    read.refresh_after =
        std::chrono::seconds{std::min<std::uint64_t>(refresh->get<std::uint64_t>(), 366 * 86400)};
  return read;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"; the name of the day says nothing new.
std::optional<WallTime> parse_http_date(std::string_view text) {
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::string_view shape = "___, __ ___ ____ __:__:__ GMT";
  if (text.size() != shape.size()) return std::nullopt;
  for (std::size_t at = 0; at < shape.size(); ++at)
    if (shape[at] != '_' && text[at] != shape[at]) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = -1;
    const char* begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + size, value);
    return error == std::errc{} && end == begin + size ? value : -1;
  };
  const auto month = std::ranges::find(months, text.substr(8, 3));
  const int day = number(5, 2), year = number(12, 4), hour = number(17, 2), minute = number(20, 2),
            second = number(23, 2);
  if (month == months.end() || year < 1970 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60 || day < 1)
    return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month - months.begin()) + 1},
      std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || year > 2200) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second};
}

}  // namespace turnpike::service
