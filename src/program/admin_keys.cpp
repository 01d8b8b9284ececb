#include "program/admin_keys.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;
using Result = std::expected<Json, std::string>;

Json describe(const KeyProviderView& view) {
  Json json{{"name", view.name},
            {"url", view.url},
            {"kid_prefix", view.kid_prefix},
            {"is_withdrawn", view.is_withdrawn},
            {"is_fetching", view.status.is_fetching},
            {"fetches", view.status.fetches},
            {"failures", view.status.failures},
            {"problem", view.status.problem},
            {"clock_difference_seconds", view.status.clock_difference.count()}};
  if (view.status.fetched_at) json["fetched_at"] = unix_seconds(*view.status.fetched_at);
  if (view.status.next_fetch_in)
    json["next_fetch_in_seconds"] =
        std::chrono::ceil<std::chrono::seconds>(*view.status.next_fetch_in).count();
  json["keys"] = Json::array();
  for (const KeyProviderView::Key& key : view.keys)
    json["keys"].push_back({{"kid", key.kid},
                            {"ends_at", unix_seconds(key.ends_at)},
                            {"accepted_until", unix_seconds(key.accepted_until)}});
  return json;
}

Result list(KeyProviders& providers) {
  Json answer{{"providers", Json::array()}};
  for (const KeyProviderView& view : providers.views()) answer["providers"].push_back(describe(view));
  return answer;
}

Result answer_at_relay(KeyProviders& providers, std::string_view command, const std::string& name) {
  if (command == "keys") return list(providers);
  if (command == "withdraw_provider") {
    const auto ended = providers.withdraw(name);
    if (!ended) return std::unexpected(ended.error());
    return Json{{"allocations_ended", *ended}};
  }
  const auto done = command == "fetch_keys" ? providers.fetch(name) : providers.restore(name);
  if (!done) return std::unexpected(done.error());
  return Json::object();
}

}  // namespace

std::optional<std::expected<nlohmann::ordered_json, std::string>> answer_of_keys(
    KeyProviders* providers, ControlPlane& control_plane, std::string_view command,
    const nlohmann::ordered_json& request) {
  if (command == "take_turn_keys") {
    if (control_plane.waf() == nullptr) return std::unexpected("this server has no [waf]");
    control_plane.waf()->take_turn_keys();
    return Json::object();
  }
  constexpr std::array<std::string_view, 4> commands{"keys", "fetch_keys", "withdraw_provider",
                                                     "restore_provider"};
  if (std::ranges::find(commands, command) == commands.end()) return std::nullopt;
  if (providers == nullptr)
    return std::unexpected("this server has no [[credentials.token.providers]]: it fetches no keys");
  const auto name = request.find("provider");
  return answer_at_relay(
      *providers, command,
      name != request.end() && name->is_string() ? name->get<std::string>() : std::string{});
}

}  // namespace turnpike::program
