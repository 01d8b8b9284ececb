#include "program/key_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "program/config_command.hpp"
#include "program/key_certificate.hpp"
#include "program/key_fetch_command.hpp"
#include "program/text_file.hpp"
#include "program/time_text.hpp"

namespace turnpike::program {
namespace {

std::string draw_key(std::size_t size, Random& random) {
  ByteVector bytes(size);
  random.fill(bytes);
  std::string text = to_base64(bytes);
  wipe(bytes);
  return text;
}

std::string_view algorithm_of(std::uint64_t size) { return size == 16 ? "A128GCM" : "A256GCM"; }

Answer write_key(const std::string& file, const std::string& key, bool if_missing) {
  const auto written = write_private_file(file, key + '\n');
  if (written || (written.error().is_there && if_missing)) return say("");
  if (written.error().is_there)
    return refuse(fmt::format("{} is there already, and a key is never overwritten", file));
  return refuse(fmt::format("cannot write {}: {}", file, written.error().reason));
}

std::string describe_state(const credentials::TokenKey& key, WallTime wall) {
  if (wall < key.not_before) return "begins " + format_distance(key.not_before, wall);
  if (key.not_after == WallTime::max()) return "valid";
  return (wall < key.not_after ? "valid, ends " : "ended ") + format_distance(key.not_after, wall);
}

bool issues(const credentials::TokenKey& key, WallTime wall) {
  return key.not_before <= wall && wall < key.not_after;
}

std::string date_id(WallTime wall) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(wall)};
  return fmt::format("k{:04}{:02}{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()));
}

std::string join_lines(std::initializer_list<std::string> lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

// The key that is first and not yet valid takes over by itself: "the first one that is valid issues".
Answer plan_token_rotation(const credentials::TokenSettings& token, const std::string& id,
                           const KeyRotateOptions& options, WallTime wall, Random& random) {
  if (std::ranges::find(token.keys, id, &credentials::TokenKey::kid) != token.keys.end())
    return refuse(fmt::format("--id: found \"{}\", which is there already, allowed: a new kid", id));
  const auto begin =
      from_unix_seconds(static_cast<std::uint64_t>(unix_seconds(wall)) + options.publish_seconds);
  const auto end = from_unix_seconds(static_cast<std::uint64_t>(unix_seconds(begin)) + options.keep_seconds);
  const auto old = std::ranges::find_if(token.keys, [&](const auto& key) { return issues(key, wall); });
  const auto algorithm = old == token.keys.end() ? credentials::TokenAlgorithm::a256gcm : old->algorithm;
  return say(join_lines({
      "# 1. Now: put this FIRST into [credentials.token] keys, on every relay and issuer, and reload them",
      fmt::format("#    (turnpike admin reload). They all know it before it is used, at {}.",
                  format_time(begin)),
      fmt::format("{{ kid = \"{}\", key = \"{}\", alg = \"{}\", not_before = {} }},", id,
                  draw_key(credentials::key_size(algorithm), random), credentials::to_string(algorithm),
                  format_time(begin)),
      old == token.keys.end()
          ? std::string{"# 2. No key is valid now, so none has to go."}
          : fmt::format("# 2. In the same edit, give the key \"{}\" its end: add   not_after = {}", old->kid,
                        format_time(end)),
      fmt::format("# 3. After {}: remove what has ended.", format_time(end)),
  }));
}

Answer plan_computed_rotation(const credentials::ComputedSettings& computed, const std::string& id,
                              const KeyRotateOptions& options, Random& random) {
  if (std::ranges::find(computed.secrets, id, &credentials::ComputedSecret::id) != computed.secrets.end())
    return refuse(fmt::format("--id: found \"{}\", which is there already, allowed: a new id", id));
  const auto spell = [](std::uint64_t seconds) {
    return format_duration(std::chrono::seconds{static_cast<std::int64_t>(seconds)});
  };
  return say(join_lines({
      "# 1. Now: put this LAST into [credentials.computed] secrets, on every relay, and reload them",
      "#    (turnpike admin reload). They accept what it makes, and nothing makes any yet.",
      fmt::format("{{ id = \"{}\", secret = \"{}\" }},", id, draw_key(32, random)),
      fmt::format(
          "# 2. When every relay has it, {} from now at the latest: move it to the FIRST place on the",
          spell(options.publish_seconds)),
      "#    issuers, and reload them. The first secret issues.",
      fmt::format("# 3. {} later, when the last old credential has ended: remove the old secret everywhere.",
                  spell(options.keep_seconds)),
  }));
}

}  // namespace

Answer generate_key(const KeyGenerateOptions& options, Random& random) {
  if (options.kid && options.size != 16 && options.size != 32)
    return refuse(
        fmt::format("--size: found {}, allowed with --kid: 32 (A256GCM) or 16 (A128GCM)", options.size));
  if (options.if_missing && !options.file) return refuse("--if-missing: needs --to");
  const std::string key = draw_key(options.size, random);
  if (options.file) {
    Answer answer = write_key(*options.file, key, options.if_missing);
    if (answer.exit_status == exit_ok && options.kid)
      answer.text = fmt::format("{{ kid = \"{}\", key_file = \"{}\", alg = \"{}\" }},\n", *options.kid,
                                *options.file, algorithm_of(options.size));
    return answer;
  }
  if (!options.kid) return say(key + '\n');
  return say(fmt::format("{{ kid = \"{}\", key = \"{}\", alg = \"{}\" }},\n", *options.kid, key,
                         algorithm_of(options.size)));
}

Answer list_keys(const Config& config, WallTime wall) {
  const credentials::RegistrySettings& sources = config.credentials;
  std::string text;
  const auto add = [&](std::string_view source, std::string_view id, std::string_view kind,
                       std::string_view state, bool first) {
    text += fmt::format("{:<9} {:<24} {:<16} {}{}\n", source, id, kind, state, first ? ", issues" : "");
  };
  if (sources.computed)
    for (const credentials::ComputedSecret& secret : sources.computed->secrets)
      add("computed", secret.id.empty() ? "-" : secret.id, fmt::format("{} bytes", secret.secret.size()),
          "valid", &secret == &sources.computed->secrets.front());
  if (sources.token) {
    const auto first =
        std::ranges::find_if(sources.token->keys, [&](const auto& key) { return issues(key, wall); });
    for (const credentials::TokenKey& key : sources.token->keys)
      add("token", key.kid,
          fmt::format("{}{}", credentials::to_string(key.algorithm), key.derives ? ", derives" : ""),
          describe_state(key, wall), first != sources.token->keys.end() && &key == &*first);
  }
  if (text.empty()) return say_no("no source of this configuration has keys: neither computed nor token");
  return say(text);
}

Answer plan_rotation(const Config& config, const KeyRotateOptions& options, WallTime wall, Random& random) {
  const credentials::RegistrySettings& sources = config.credentials;
  const std::string id = options.id.value_or(date_id(wall));
  if (options.source == "token")
    return sources.token ? plan_token_rotation(*sources.token, id, options, wall, random)
                         : refuse("--source: found token, but there is no [credentials.token]");
  return sources.computed ? plan_computed_rotation(*sources.computed, id, options, random)
                          : refuse("--source: found computed, but there is no [credentials.computed]");
}

// --- the command line
// ---------------------------------------------------------------------------------------
namespace {

constexpr const char* generate_help =
    "Prints random bytes in base64: a secret of the computed source, a key of the token source,\n"
    "or a mac_key.\n\n"
    "Examples:\n"
    "  turnpike key generate                               a secret\n"
    "  turnpike key generate --kid k2                      a line for [credentials.token] keys\n"
    "  turnpike key generate --to var/computed.secret      a file that its owner alone can read\n";
constexpr const char* rotate_help =
    "Prints a new key and says where to put it and when, so that every relay knows a key before\n"
    "an issuer uses it, and old credentials stay good to their end. Changes no file.\n"
    "With --source waf it begins the next key of a TURN server that fetches its keys: published now, and\n"
    "used after published_before_seconds, or at once.\n\n"
    "Examples:\n"
    "  turnpike key rotate --config turnpike.toml --source token\n"
    "  turnpike key rotate --config waf.toml --source waf --server turn1.ims.example\n";

void add_generate(Command& key) {
  const auto options = std::make_shared<KeyGenerateOptions>();
  Command generate = key.add("generate", "Make a secret or a key");
  generate.number("--size", options->size, 16, 64, "bytes")
      .text("--kid", options->kid, "print the line of a token key with this name")
      .text("--to", options->file, "write the key into this file, which must not exist")
      .flag("--if-missing", options->if_missing, "a file that exists stays as it is, and all is well")
      .explain(generate_help);
  generate.on_run([options] {
    SystemRandom random;
    return generate_key(*options, random);
  });
}

void add_list(Command& key) {
  const auto file = std::make_shared<std::optional<std::string>>();
  Command list = key.add("list", "Say which keys a configuration has, and which of them issues");
  list.text("--config", *file, "the configuration");
  list.on_run([file] {
    const auto config = require_config(*file);
    if (!config) return config.error();
    const WallTime wall = read_clocks().wall;
    return join(list_keys(*config, wall), list_fetched_keys(*config, wall));
  });
}

void add_rotate(Command& key) {
  const auto file = std::make_shared<std::optional<std::string>>();
  const auto options = std::make_shared<KeyRotateOptions>();
  const auto begin = std::make_shared<KeyBeginOptions>();
  Command rotate = key.add("rotate", "Make the next key and say what to do when");
  rotate.text("--config", *file, "the configuration")
      .choice("--source", options->source, {"token", "computed", "waf"}, "whose key")
      .text("--server", begin->server_name, "waf: the TURN server; needed where there are several")
      .flag("--at-once", begin->at_once, "waf: use it as soon as the TURN server has fetched it")
      .text("--id", options->id, "the name of the new key; made from the date if unset")
      .number("--publish-seconds", options->publish_seconds, 0, 30 * 86400,
              "until every relay has been reloaded")
      .number("--keep-seconds", options->keep_seconds, 0, 365 * 86400, "the longest life of a credential")
      .explain(rotate_help);
  rotate.on_run([file, options, begin] {
    if (options->source == "waf") return begin_turn_key(*file, *begin);
    const auto config = require_config(*file);
    if (!config) return config.error();
    SystemRandom random;
    return plan_rotation(*config, *options, read_clocks().wall, random);
  });
}

}  // namespace

void add_key_command(Command root) {
  Command key = root.add("key", "Make, list and replace secrets and keys").require_command();
  add_generate(key);
  add_list(key);
  add_rotate(key);
  add_key_fetching(key);
  add_key_certificate(key);
}

}  // namespace turnpike::program
