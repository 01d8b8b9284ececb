#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "program/config_sections.hpp"

namespace turnpike::program {
namespace {

constexpr std::size_t username_bytes_max = 508;  // RFC 8489 section 14.3

void read_policy(TableReader& table, credentials::Policy& policy) {
  table.number("allocations_per_subject", policy.allocations_max, 0, 10'000'000);
  table.number("bytes_per_second_per_allocation", policy.bytes_per_second, 0, std::uint64_t{1} << 40);
  read_prefixes(table, "allowed_peers", policy.allowed_peers);
}

// users = { alice = "password", bob = { password_file = "bob.password" } }
void read_user(TableReader& users, const std::string& name, const Node& value, SecretReader& secrets,
               credentials::StaticSettings& to) {
  if (name.empty() || name.size() > username_bytes_max)
    return users.complain(
        name, value.line,
        fmt::format("found a name of {} bytes, allowed: 1 to {}", name.size(), username_bytes_max));
  std::optional<Secret> password;
  if (value.kind == Node::Kind::table) {
    TableReader user = users.sub_table(name);
    password = secrets.read(user, "password", "a password");
    user.finish();
  } else {
    password = secrets.read(users, name, "a password, or { password_file = \"FILE\" }");
  }
  if (password) to.users.insert_or_assign(name, std::move(*password));
}

std::optional<credentials::StaticSettings> read_static(TableReader table, SecretReader& secrets) {
  if (!table.is_present()) return std::nullopt;
  credentials::StaticSettings settings;
  const Node* users = table.find("users");
  if (users == nullptr || (users->kind == Node::Kind::table && users->items.empty()))
    table.missing("users", "names with their passwords, { alice = \"...\" }");
  TableReader reader = table.sub_table("users");
  if (users != nullptr && users->kind == Node::Kind::table)
    for (std::size_t at = 0; at < users->keys.size(); ++at)
      read_user(reader, users->keys[at], users->items[at], secrets, settings);
  read_policy(table, settings.policy);
  table.finish();
  return settings;
}

void read_computed_secret(TableReader entry, SecretReader& secrets, credentials::ComputedSettings& to) {
  constexpr std::string_view allowed =
      "at least 16 bytes, which the issuer has too; make some with `turnpike key generate`";
  credentials::ComputedSecret secret;
  entry.text("id", secret.id, 64);
  if (secret.id.find_first_of(".: ") != std::string::npos)
    entry.complain("id", line_of(entry, "id"),
                   fmt::format("found \"{}\", allowed: a name without \".\", \":\" and spaces", secret.id));
  if (!secret.id.empty() &&
      std::ranges::find(to.secrets, secret.id, &credentials::ComputedSecret::id) != to.secrets.end())
    entry.complain("id", line_of(entry, "id"),
                   fmt::format("found \"{}\" again, allowed: each id once", secret.id));
  auto value = secrets.read(entry, "secret", allowed);
  if (value && value->size() < credentials::computed_secret_min)
    entry.complain("secret", line_of(entry, "secret"),
                   fmt::format("found {} bytes, allowed: {}", value->size(), allowed));
  if (value) secret.secret = std::move(*value);
  to.secrets.push_back(std::move(secret));
  entry.finish();
}

std::optional<credentials::ComputedSettings> read_computed(TableReader table, const std::string& path,
                                                           SecretReader& secrets,
                                                           std::vector<Problem>& problems) {
  if (!table.is_present()) return std::nullopt;
  constexpr std::string_view allowed =
      "a list of { id = \"k1\", secret = \"...\" }, the first of which issues";
  credentials::ComputedSettings settings;
  const auto entries = table.tables("secrets", allowed);
  for (std::size_t at = 0; at < entries.size(); ++at)
    read_computed_secret({entries[at], fmt::format("{}.secrets[{}]", path, at), problems}, secrets, settings);
  const Node* list = table.find("secrets");
  if (list == nullptr || (list->kind == Node::Kind::list && list->items.empty()))
    table.missing("secrets", allowed);
  table.choice<credentials::ComputedDigest>(
      "digest", settings.digest,
      {{"sha1", credentials::ComputedDigest::sha1}, {"sha256", credentials::ComputedDigest::sha256}});
  read_policy(table, settings.policy);
  table.finish();
  return settings;
}

std::optional<credentials::PushedSettings> read_pushed(TableReader table) {
  if (!table.is_present()) return std::nullopt;
  credentials::PushedSettings settings;
  table.number("credentials_max", settings.credentials_max, 1, 10'000'000);
  table.finish();
  return settings;
}

void read_kid(TableReader& entry, credentials::TokenKey& key, const credentials::TokenSettings& others) {
  if (entry.find("kid") == nullptr) return entry.missing("kid", "the name by which tokens call this key");
  entry.text("kid", key.kid, username_bytes_max);
  if (std::ranges::any_of(key.kid,
                          [](unsigned char character) { return character <= 0x20 || character == 0x7f; }))
    entry.complain("kid", line_of(entry, "kid"),
                   "found a space or control character, allowed: a name without any");
  if (!key.kid.empty() &&
      std::ranges::find(others.keys, key.kid, &credentials::TokenKey::kid) != others.keys.end())
    entry.complain("kid", line_of(entry, "kid"),
                   fmt::format("found \"{}\" again, allowed: each kid once", key.kid));
}

void read_token_key(TableReader entry, SecretReader& secrets, credentials::TokenSettings& to) {
  credentials::TokenKey key;
  read_kid(entry, key, to);
  entry.choice<credentials::TokenAlgorithm>(
      "alg", key.algorithm,
      {{"A256GCM", credentials::TokenAlgorithm::a256gcm}, {"A128GCM", credentials::TokenAlgorithm::a128gcm}});
  const std::size_t size = credentials::key_size(key.algorithm);
  const std::string allowed =
      fmt::format("base64 of {} bytes for {}", size, credentials::to_string(key.algorithm));
  auto value = secrets.read_base64(entry, "key", allowed);
  if (value && value->size() != size)
    entry.complain("key", line_of(entry, "key"),
                   fmt::format("found {} bytes, allowed: {}", value->size(), allowed));
  if (value) key.key = std::move(*value);
  entry.boolean("derives", key.derives);
  entry.moment("not_before", key.not_before);
  entry.moment("not_after", key.not_after);
  if (key.not_after <= key.not_before)
    entry.complain("not_after", line_of(entry, "not_after"),
                   "found an end before the beginning, allowed: a moment after not_before");
  to.keys.push_back(std::move(key));
  entry.finish();
}

std::optional<credentials::TokenSettings> read_token(TableReader table, const std::string& path,
                                                     Config& config, SecretReader& secrets,
                                                     std::vector<Problem>& problems) {
  if (!table.is_present()) return std::nullopt;
  constexpr std::string_view allowed = "a list of { kid = \"...\", key = \"base64\", alg = \"A256GCM\" }";
  credentials::TokenSettings settings;
  settings.server_name = config.server_name;
  const auto entries = table.tables("keys", allowed);
  for (std::size_t at = 0; at < entries.size(); ++at)
    read_token_key({entries[at], fmt::format("{}.keys[{}]", path, at), problems}, secrets, settings);
  read_key_providers(table, path, settings, config, problems);
  const Node* list = table.find("keys");
  if (config.key_providers.empty() &&
      (list == nullptr || (list->kind == Node::Kind::list && list->items.empty())))
    table.missing("keys", fmt::format("{}, or [[{}.providers]], from whom they are fetched", allowed, path));
  table.choice<credentials::MacKeyRule>("mac_key", settings.mac_key,
                                        {{"rfc7635", credentials::MacKeyRule::rfc7635},
                                         {"coturn16", credentials::MacKeyRule::coturn16},
                                         {"auto", credentials::MacKeyRule::automatic}});
  table.boolean("browser_form", settings.browser_form);
  read_policy(table, settings.policy);
  table.finish();
  return settings;
}

}  // namespace

void read_credentials_section(TableReader& table, Config& config, SecretReader& secrets,
                              std::vector<Problem>& problems) {
  constexpr std::string_view allowed =
      "at least one of [credentials.static], [credentials.computed], [credentials.pushed], "
      "[credentials.token]";
  credentials::RegistrySettings& settings = config.credentials;
  read_relays_elsewhere(table, config);
  settings.static_users = read_static(table.sub_table("static"), secrets);
  settings.computed =
      read_computed(table.sub_table("computed"), table.path_of("computed"), secrets, problems);
  settings.pushed = read_pushed(table.sub_table("pushed"));
  settings.token = read_token(table.sub_table("token"), table.path_of("token"), config, secrets, problems);
  read_relay_interface(table.sub_table("interface"), config);
  const bool has_source = settings.static_users || settings.computed || settings.pushed || settings.token;
  if (!has_source && config.turn) table.missing("", allowed);
  table.finish();
}

}  // namespace turnpike::program
