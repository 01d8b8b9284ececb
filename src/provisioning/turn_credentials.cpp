#include "provisioning/turn_credentials.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "credentials/sources.hpp"
#include "provisioning/credential_life.hpp"
#include "provisioning/turn_uri.hpp"
#include "sip/limits.hpp"
#include "sip/params.hpp"
#include "sip/text.hpp"
#include "sip/values.hpp"

namespace turnpike::provisioning {
namespace {

using enum TurnCredentialsDefect;
using Failure = std::unexpected<TurnCredentialsDefect>;

constexpr std::uint64_t seconds_max = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t params_max = sip::Limits{}.params_max;
constexpr std::size_t mac_key_bytes_max = credentials::Key::size_max;

std::optional<std::string> find_quoted(const sip::Params& params, std::string_view name) {
  const auto param = params.find(name);
  if (!param || !param->value || !param->value->starts_with('"')) return std::nullopt;
  return param->text();
}

std::optional<std::chrono::seconds> find_seconds(const sip::Params& params, std::string_view name) {
  const auto value = params.value(name);
  const auto seconds = value ? sip::parse_number(*value, seconds_max) : std::nullopt;
  if (!seconds) return std::nullopt;
  return std::chrono::seconds{static_cast<std::int64_t>(*seconds)};
}

// Nothing for a form that is not known; a value without the parameter is a password.
std::optional<Form> find_form(const sip::Params& params) {
  const auto param = params.find("type");
  if (!param) return Form::password;
  const std::string name = param->text();  // a token or a quoted string
  if (sip::equal_ignoring_case(name, "password")) return Form::password;
  if (sip::equal_ignoring_case(name, "oauth")) return Form::oauth;
  return std::nullopt;
}

// Those that can be issued.
std::optional<credentials::Source> find_source(const sip::Params& params) {
  const auto param = params.find("source");
  if (!param) return std::nullopt;
  const std::string name = param->text();
  for (const auto source :
       {credentials::Source::computed, credentials::Source::pushed, credentials::Source::token})
    if (sip::equal_ignoring_case(name, credentials::to_string(source))) return source;
  return std::nullopt;
}

void add_text(std::string& to, std::string_view name, std::string_view text) {
  to.append(1, ';').append(name).append(1, '=').append(sip::quoted_string(text));
}

void add_number(std::string& to, std::string_view name, std::int64_t number) {
  to.append(1, ';').append(name).append(1, '=').append(std::to_string(number));
}

std::string format_params(const Entry& entry, std::chrono::seconds refresh_after) {
  std::string params;
  if (entry.form == Form::oauth) {
    add_text(params, "type", "oauth");
    add_text(params, "kid", entry.username);
    add_text(params, "access-token", to_base64(entry.access_token));
    add_text(params, "mac-key", entry.password.reveal_text());
    add_text(params, "alg", entry.algorithm);
    add_text(params, "server-name", entry.server_name);
  } else {
    add_text(params, "username", entry.username);
    add_text(params, "password", entry.password.reveal_text());
  }
  add_text(params, "realm", entry.realm);
  add_number(params, "ttl", entry.ttl.count());
  add_number(params, "expires-at", unix_seconds(entry.expires_at));
  add_number(params, "refresh-after", refresh_after.count());
  return params;
}

bool read_password(const sip::Params& params, Entry& entry) {
  auto username = find_quoted(params, "username");
  const auto password = find_quoted(params, "password");
  if (!username || !password || password->empty()) return false;
  entry.username = std::move(*username);
  entry.password = Secret::from_text(*password);
  return true;
}

bool read_oauth(const sip::Params& params, Entry& entry) {
  auto kid = find_quoted(params, "kid");
  auto token = from_base64(find_quoted(params, "access-token").value_or(""));
  const auto mac_key = find_quoted(params, "mac-key");
  const auto mac_key_bytes = from_base64(mac_key.value_or(""));
  if (!kid || !token || token->empty() || token->size() > credentials::token_bytes_max) return false;
  if (!mac_key_bytes || mac_key_bytes->empty() || mac_key_bytes->size() > mac_key_bytes_max) return false;
  entry.username = std::move(*kid);
  entry.access_token = std::move(*token);
  entry.password = Secret::from_text(*mac_key);
  entry.algorithm = find_quoted(params, "alg").value_or("HMAC-SHA-1");
  entry.server_name = find_quoted(params, "server-name").value_or("");
  return true;
}

struct AnswerValue {
  Entry entry;  // with its one URI
  std::optional<std::chrono::seconds> refresh_after;
};

// "<" turn-uri ">" *( ";" tc-param ). Nothing for a type that is not known, which is passed over.
std::expected<std::optional<AnswerValue>, TurnCredentialsDefect> parse_answer_value(std::string_view text,
                                                                                    WallTime wall) {
  sip::Scanner scanner{text};
  if (!scanner.accept('<')) return Failure(malformed);
  const auto close = scanner.rest().find('>');
  if (close == std::string_view::npos) return Failure(malformed);
  const std::string_view uri = scanner.rest().substr(0, close);
  scanner.skip(close + 1);
  const auto params = sip::Params::take(scanner, sip::ParamStyle::header, params_max);
  if (!params || !scanner.at_end()) return Failure(malformed);
  if (!TurnUri::parse(uri)) return Failure(no_turn_uri);

  const auto form = find_form(*params);
  if (!form) return std::nullopt;
  AnswerValue value{.entry = {.form = *form, .uris = {std::string{uri}}},
                    .refresh_after = find_seconds(*params, "refresh-after")};
  Entry& entry = value.entry;
  const auto ttl = find_seconds(*params, "ttl");
  if (!ttl || !(*form == Form::oauth ? read_oauth(*params, entry) : read_password(*params, entry)))
    return Failure(no_credentials);
  if (entry.username.empty() || entry.username.size() > credentials::username_bytes_max)
    return Failure(no_credentials);
  entry.realm = find_quoted(*params, "realm").value_or("");
  entry.ttl = *ttl;
  const auto end = sip::parse_number(params->value("expires-at").value_or(""), UINT64_MAX);
  entry.expires_at = std::chrono::floor<std::chrono::seconds>(end ? from_unix_seconds(*end) : wall + *ttl);
  return value;
}

bool opens_with_the_same(const Entry& a, const Entry& b) {
  return a.form == b.form && a.realm == b.realm && a.username == b.username &&
         a.password.equals(b.password.reveal()) && a.access_token == b.access_token &&
         a.algorithm == b.algorithm && a.server_name == b.server_name && a.ttl == b.ttl &&
         a.expires_at == b.expires_at;
}

void add_value(AnswerValue value, Provision& to) {
  const auto refresh = value.refresh_after.value_or(find_refresh(value.entry.ttl));
  to.refresh_after = to.entries.empty() ? refresh : std::min(to.refresh_after, refresh);
  if (!to.entries.empty() && opens_with_the_same(to.entries.back(), value.entry))
    to.entries.back().uris.push_back(std::move(value.entry.uris.front()));
  else
    to.entries.push_back(std::move(value.entry));
}

// The values of one row, after `count` others.
std::expected<void, TurnCredentialsDefect> read_answer_row(std::string_view row, WallTime wall,
                                                           const TurnCredentialsLimits& limits,
                                                           std::size_t& count, Provision& to) {
  while (const auto member = sip::take_list_member(row)) {
    if (++count > limits.values_max) return Failure(too_many);
    auto value = parse_answer_value(*member, wall);
    if (!value) return Failure(value.error());
    if (*value) add_value(std::move(**value), to);
  }
  return {};
}

}  // namespace

std::string_view to_string(TurnCredentialsDefect defect) {
  constexpr std::array<std::string_view, 6> names{"malformed", "no_request",  "bad_parameter",
                                                  "too_many",  "no_turn_uri", "no_credentials"};
  return names.at(static_cast<std::size_t>(defect));
}

std::expected<Request, TurnCredentialsDefect> parse_request(std::string_view value) {
  sip::Scanner scanner{sip::trimmed(value)};
  const std::string_view word = scanner.take(sip::char_token);
  if (!sip::equal_ignoring_case(word, "request")) return Failure(no_request);
  const auto params = sip::Params::take(scanner, sip::ParamStyle::header, params_max);
  if (!params || !scanner.at_end()) return Failure(scanner.sees(',') ? too_many : malformed);

  Request request;
  const auto is_bad = [&](std::string_view name, bool is_read) { return params->has(name) && !is_read; };
  request.realm = find_quoted(*params, "realm");
  request.ttl = find_seconds(*params, "ttl");
  if (const auto transport = find_transport(params->value("transport").value_or("")))
    request.transport = std::string{*transport};
  if (params->has("type")) request.form = find_form(*params);
  request.source = find_source(*params);
  if (is_bad("realm", request.realm.has_value()) || is_bad("ttl", request.ttl.has_value()) ||
      is_bad("transport", request.transport.has_value()) || is_bad("type", request.form.has_value()) ||
      is_bad("source", request.source.has_value()))
    return Failure(bad_parameter);
  return request;
}

std::optional<std::expected<Request, TurnCredentialsDefect>> find_request(const sip::Message& message) {
  const auto header = message.find(sip::HeaderName::turn_credentials);
  if (!header) return std::nullopt;
  if (message.count(sip::HeaderName::turn_credentials) > 1) return Failure(too_many);
  return parse_request(header->value);
}

std::string format_request(const Request& request) {
  std::string text = "request";
  if (request.realm) add_text(text, "realm", *request.realm);
  if (request.ttl) add_number(text, "ttl", request.ttl->count());
  if (request.transport) text.append(";transport=").append(*request.transport);
  if (request.form) add_text(text, "type", *request.form == Form::oauth ? "oauth" : "password");
  if (request.source) add_text(text, "source", credentials::to_string(*request.source));
  return text;
}

std::vector<std::string> format_answer(const Provision& provision, const TurnCredentialsLimits& limits) {
  std::vector<std::string> rows;
  for (const Entry& entry : provision.entries) {
    const std::string params = format_params(entry, provision.refresh_after);
    for (const std::string& uri : entry.uris) {
      const std::size_t size = uri.size() + params.size() + 4;  // "<", ">", ", "
      if (rows.empty() || rows.back().size() + size > limits.row_bytes_max)
        rows.emplace_back();
      else
        rows.back() += ", ";
      rows.back().append(1, '<').append(uri).append(1, '>').append(params);
    }
  }
  return rows;
}

std::expected<Provision, TurnCredentialsDefect> parse_answer(std::string_view value, WallTime wall,
                                                             const TurnCredentialsLimits& limits) {
  Provision provision;
  std::size_t count = 0;
  if (const auto read = read_answer_row(value, wall, limits, count, provision); !read)
    return Failure(read.error());
  if (provision.entries.empty()) return Failure(no_credentials);
  return provision;
}

std::optional<std::expected<Provision, TurnCredentialsDefect>> find_answer(const sip::Message& message,
                                                                           WallTime wall) {
  if (!message.has(sip::HeaderName::turn_credentials)) return std::nullopt;
  Provision provision;
  std::size_t count = 0;
  for (std::size_t i = 0; i < message.header_count(); ++i) {
    if (message.header_name(i) != sip::HeaderName::turn_credentials) continue;
    const auto read = read_answer_row(message.header(i).value, wall, {}, count, provision);
    if (!read) return Failure(read.error());
  }
  if (provision.entries.empty()) return Failure(no_credentials);
  return provision;
}

}  // namespace turnpike::provisioning
