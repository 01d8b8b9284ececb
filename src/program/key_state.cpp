#include "program/key_state.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "program/text_file.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

std::expected<KeyState, std::string> read_key_state(const service::KeyProviderSettings& settings) {
  std::error_code error;
  if (settings.state_file.empty() || !std::filesystem::exists(settings.state_file, error)) return KeyState{};
  auto text = read_text_file(settings.state_file);
  if (!text) return std::unexpected(fmt::format("cannot read {}: {}", settings.state_file, text.error()));
  const Json file = Json::parse(*text, nullptr, false);
  const auto says = [&](const char* name, const std::string& what) {
    const auto found = file.find(name);
    return found != file.end() && found->is_string() && found->get<std::string>() == what;
  };
  if (!file.is_object() || !file.contains("url"))
    return std::unexpected(fmt::format("{} does not hold the keys of a provider", settings.state_file));
  // What another one has said does not count for this one.
  if (!says("url", settings.url) || !says("kid_prefix", settings.answer.kid_prefix) ||
      !says("server_name", settings.server_name))
    return KeyState{};
  KeyState state;
  const auto withdrawn = file.find("is_withdrawn");
  state.is_withdrawn = withdrawn != file.end() && withdrawn->is_boolean() && withdrawn->get<bool>();
  const auto at = file.find("fetched_at");
  if (at != file.end() && at->is_number_unsigned())
    state.fetched_at = from_unix_seconds(at->get<std::uint64_t>());
  const auto keys = file.find("keys");
  if (keys == file.end() || !keys->is_array() || keys->empty()) return state;
  auto read = service::parse_stun_keys(Json{{"keys", *keys}}.dump(), settings.answer);
  if (!read) return std::unexpected(fmt::format("{}: {}", settings.state_file, read.error()));
  state.keys = std::move(read->keys);
  return state;
}

std::expected<void, std::string> write_key_state(const service::KeyProviderSettings& settings,
                                                 const KeyState& state) {
  if (settings.state_file.empty()) return {};
  Json keys = Json::array();
  for (const service::StunKey& key : state.keys) {
    if (keys.size() == service::stun_keys_max) break;
    keys.push_back({{"kid", key.kid},
                    {"k", to_base64url(key.key.reveal())},
                    {"enc", credentials::to_string(key.algorithm)},
                    {"exp", unix_seconds(key.ends_at)},
                    {"accepted_until", unix_seconds(key.accepted_until)}});
  }
  const Json file{{"url", settings.url},
                  {"server_name", settings.server_name},
                  {"kid_prefix", settings.answer.kid_prefix},
                  {"fetched_at", unix_seconds(state.fetched_at)},
                  {"is_withdrawn", state.is_withdrawn},
                  {"keys", std::move(keys)}};
  auto written = replace_private_file(settings.state_file, file.dump(2) + '\n');
  if (!written)
    return std::unexpected(fmt::format("cannot write {}: {}", settings.state_file, written.error()));
  return {};
}

}  // namespace turnpike::program
