// [api], the credential API.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "program/config_http.hpp"
#include "program/config_sections.hpp"
#include "program/config_tokens.hpp"
#include "program/toml_text.hpp"

namespace turnpike::program {
namespace {

using service::ApiCaller;

constexpr std::uint64_t many = 10'000'000;
constexpr std::int64_t day = 86400;
constexpr std::size_t text_bytes_max = 255;
constexpr std::size_t id_bytes_max = 64;
constexpr std::uint16_t api_port = 8444;

constexpr std::string_view keys_allowed = "a list of { id = \"...\", secret_file = \"...\" }";
constexpr std::string_view certificates_allowed = "a list of { name = \"edge1.ims.example\" }";
constexpr std::string_view users_allowed = "a list of users, such as \"*@shop.example\"";

// What a key and a certificate have in common.
void read_caller(TableReader& table, ApiCaller& caller) {
  table.text_list("users", caller.users, users_allowed);
  table.number("requests_per_second", caller.requests_per_second, 1, 1'000'000);
  if (table.find("ttl_max_seconds") != nullptr) {
    std::chrono::seconds ttl{3600};
    table.seconds("ttl_max_seconds", ttl, 1, 30 * day);
    caller.ttl_max = ttl;
  }
}

void check_id(TableReader& table, std::string_view key, const std::string& id,
              const std::vector<ApiCaller>& others) {
  if (id.empty()) return table.missing(key, "a name for logs, and for HTTP's Basic");
  if (id.contains(':'))
    table.complain(key, line_of(table, key), fmt::format("found \"{}\", allowed: no \":\"", id));
  if (std::ranges::find(others, id, &ApiCaller::id) != others.end())
    table.complain(key, line_of(table, key), fmt::format("found \"{}\" again, allowed: each once", id));
}

void read_key(TableReader table, ApiConfig& api, SecretReader& secrets) {
  ApiCaller caller;
  table.text("id", caller.id, id_bytes_max);
  check_id(table, "id", caller.id, api.desk.callers);
  const std::string allowed = fmt::format("at least {} bytes", service::api_key_bytes_min);
  auto secret = secrets.read(table, "secret", allowed);
  if (secret && secret->size() < service::api_key_bytes_min)
    table.complain("secret", line_of(table, "secret"),
                   fmt::format("found {} bytes, allowed: {}", secret->size(), allowed));
  if (secret && std::ranges::any_of(api.desk.callers, [&](const ApiCaller& other) {
        return other.key.equals(secret->reveal());
      }))
    table.complain("secret", line_of(table, "secret"), "found again, allowed: each key once");
  if (secret) caller.key = std::move(*secret);
  read_caller(table, caller);
  table.finish();
  api.desk.callers.push_back(std::move(caller));
}

void read_certificate(TableReader table, ApiConfig& api) {
  ApiCaller caller;
  table.text("name", caller.certificate, text_bytes_max);
  caller.id = caller.certificate;
  check_id(table, "name", caller.id, api.desk.callers);
  read_caller(table, caller);
  table.finish();
  api.desk.callers.push_back(std::move(caller));
}

void read_callers(TableReader& table, ApiConfig& api, SecretReader& secrets, std::vector<Problem>& problems) {
  const auto path = [&](const char* key, std::size_t at) {
    return fmt::format("{}[{}]", table.path_of(key), at);
  };
  const auto keys = table.tables("keys", keys_allowed);
  for (std::size_t at = 0; at < keys.size(); ++at)
    read_key({keys[at], path("keys", at), problems}, api, secrets);
  const auto certificates = table.tables("certificates", certificates_allowed);
  for (std::size_t at = 0; at < certificates.size(); ++at)
    read_certificate({certificates[at], path("certificates", at), problems}, api);
  if (!certificates.empty() && api.client_ca.empty())
    table.missing("client_ca", "the file of the authority that vouches for those certificates, in PEM");
}

// Tokens are checked as the eP-CSCF checks them, by the same rules unless [api.tokens] has its own.
void read_api_tokens(TableReader& table, ApiConfig& api, const Config& config,
                     const std::filesystem::path& folder, SecretReader& secrets,
                     std::vector<Problem>& problems) {
  bool takes_tokens = true;
  table.boolean("take_tokens", takes_tokens);
  auto own = read_tokens(table.sub_table("tokens"), folder, secrets, problems);
  api.has_own_tokens = own.has_value();
  if (own) {
    api.tokens = std::move(own->checks);
    api.desk.bearer = std::move(own->bearer);
    api.wwsf_origins = std::move(own->wwsf_origins);
  } else if (config.epcscf && config.epcscf->tokens) {
    api.tokens = config.epcscf->tokens;
    api.desk.bearer = config.epcscf->proxy.bearer;
  }
  if (!takes_tokens) api.tokens.reset();
  api.desk.takes_tokens = api.tokens.has_value();
  if (api.desk.callers.empty() && !api.desk.takes_tokens && table.find("keys") == nullptr &&
      table.find("certificates") == nullptr)
    table.missing("keys", "at least one of keys, certificates and tokens, for nobody may ask without");
}

void read_api_credentials(TableReader table, ApiConfig& api, const Config& config) {
  read_issuer_sources(table, api.sources, config.credentials);
  api.uris = config.uris;
  read_turn_uris(table, api.uris);
  service::ApiLife& life = api.desk.life;
  table.seconds("ttl_seconds", life.usual, 1, 30 * day);
  table.seconds("ttl_min_seconds", life.min, 1, day);
  table.seconds("ttl_max_seconds", life.max, 1, 30 * day);
  if (life.min > life.usual || life.usual > life.max)
    table.complain("ttl_seconds", line_of(table, "ttl_seconds"),
                   fmt::format("found {}, allowed: ttl_min_seconds to ttl_max_seconds, {} to {}",
                               life.usual.count(), life.min.count(), life.max.count()));
  auto patience = static_cast<std::uint64_t>(api.desk.push_patience.count());
  table.number("push_patience_milliseconds", patience, 10, 10'000);
  api.desk.push_patience = std::chrono::milliseconds{patience};
  table.finish();
}

void read_api_limits(TableReader table, ApiConfig& api) {
  service::ApiLimits& limits = api.desk.limits;
  table.number("connections_total", api.connections_max, 1, many);
  table.number("connections_per_source", api.connections_per_source_max, 1, many);
  table.number("requests_per_second_per_source", limits.requests_per_second_per_source, 1, 1'000'000);
  table.number("requests_per_minute_per_user", limits.requests_per_minute_per_user, 1, 1'000'000);
  table.number("users_total", limits.users_max, 1, many);
  table.number("requests_waiting", limits.waiting_max, 1, many);
  table.finish();
}

std::string format_caller(const ApiCaller& caller) {
  const bool has_key = caller.certificate.empty();
  std::string text = has_key ? fmt::format("  {{ id = {}, secret = \"(hidden)\"", quote(caller.id))
                             : fmt::format("  {{ name = {}", quote(caller.certificate));
  if (!caller.users.empty()) text += fmt::format(", users = {}", quote_all(caller.users));
  if (caller.ttl_max) text += fmt::format(", ttl_max_seconds = {}", caller.ttl_max->count());
  return text + fmt::format(", requests_per_second = {} }},\n", caller.requests_per_second);
}

std::string format_callers(const std::vector<ApiCaller>& callers) {
  std::string keys, certificates;
  for (const ApiCaller& caller : callers)
    (caller.certificate.empty() ? keys : certificates) += format_caller(caller);
  std::string text;
  if (!keys.empty()) text += "keys = [\n" + keys + "]\n";
  if (!certificates.empty()) text += "certificates = [\n" + certificates + "]\n";
  return text;
}

std::vector<std::string> source_names(const ApiConfig& api) {
  std::vector<std::string> names;
  names.reserve(api.sources.size());
  for (const credentials::Source source : api.sources) names.emplace_back(credentials::to_string(source));
  return names;
}

}  // namespace

void read_api(TableReader table, Config& config, const std::filesystem::path& folder, SecretReader& secrets,
              std::vector<Problem>& problems) {
  if (!table.is_present()) return;
  ApiConfig api;
  read_http_listeners(table, api.door, api_port);
  read_http_files(table, api.door, folder);
  table.file_name("client_ca", api.client_ca, folder);
  table.text_list("origins", api.desk.origins,
                  "a list of origins, such as \"https://web.ims.example\", or \"*\" for all");
  table.boolean("key_in_query", api.desk.allows_key_in_query);
  read_callers(table, api, secrets, problems);
  read_api_tokens(table, api, config, folder, secrets, problems);
  read_api_credentials(table.sub_table("credentials"), api, config);
  read_api_limits(table.sub_table("limits"), api);
  table.finish();
  config.api = std::move(api);
}

std::string format_api(const ApiConfig& api) {
  std::string text = "\n[api]\n" + format_http_door(api.door);
  if (!api.client_ca.empty()) text += fmt::format("client_ca = {}\n", quote(api.client_ca));
  text += fmt::format("origins = {}\nkey_in_query = {}\ntake_tokens = {}\n", quote_all(api.desk.origins),
                      api.desk.allows_key_in_query, api.desk.takes_tokens);
  text += format_callers(api.desk.callers);
  const service::ApiLife& life = api.desk.life;
  text += fmt::format("\n[api.credentials]\nsources = {}\nuris = {}\n", quote_all(source_names(api)),
                      quote_all(api.uris));
  text += fmt::format(
      "ttl_seconds = {}\nttl_min_seconds = {}\nttl_max_seconds = {}\npush_patience_milliseconds = {}\n",
      life.usual.count(), life.min.count(), life.max.count(), api.desk.push_patience.count());
  const service::ApiLimits& limits = api.desk.limits;
  text += fmt::format(
      "\n[api.limits]\nconnections_total = {}\nconnections_per_source = {}\nrequests_per_second_per_source = "
      "{}\n"
      "requests_per_minute_per_user = {}\nusers_total = {}\nrequests_waiting = {}\n",
      api.connections_max, api.connections_per_source_max, limits.requests_per_second_per_source,
      limits.requests_per_minute_per_user, limits.users_max, limits.waiting_max);
  if (api.has_own_tokens && api.tokens)
    text += format_tokens("api.tokens", *api.tokens, api.desk.bearer, api.wwsf_origins);
  return text;
}

std::string describe_api(const ApiConfig& api) {
  return fmt::format("API          {}, {} caller{}{}, hands out {}\n",
                     fmt::join(listener_names(api.door), ", "), api.desk.callers.size(),
                     api.desk.callers.size() == 1 ? "" : "s", api.desk.takes_tokens ? " and tokens" : "",
                     api.sources.empty() ? "nothing" : fmt::format("{}", fmt::join(source_names(api), ", ")));
}

}  // namespace turnpike::program
