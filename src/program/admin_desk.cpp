#include "program/admin_desk.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <expected>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "credentials/issue.hpp"
#include "program/admin_keys.hpp"
#include "program/explain.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;
using credentials::Revocation;
using Result = std::expected<Json, std::string>;

constexpr std::uint64_t ttl_max = std::uint64_t{366} * 86400;
constexpr std::uint64_t ttl_default = 86400;  // no credential that is issued here lives longer
constexpr std::size_t sessions_max = 1000;

// --- fields of a request
// ------------------------------------------------------------------------------------

std::string text_of(const Json& request, const char* key) {
  const auto found = request.find(key);
  return found != request.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::expected<std::uint64_t, std::string> number_of(const Json& request, const char* key,
                                                    std::uint64_t fallback, std::uint64_t min,
                                                    std::uint64_t max) {
  const auto found = request.find(key);
  if (found == request.end()) return fallback;
  const bool is_number = found->is_number_unsigned();
  const auto value = is_number ? found->get<std::uint64_t>() : 0;
  if (is_number && value >= min && value <= max) return value;
  return std::unexpected(fmt::format("{}: found {}, allowed: {} to {}", key, found->dump(), min, max));
}

std::expected<credentials::Policy, std::string> policy_of(const Json& request) {
  credentials::Policy policy;
  const auto allocations = number_of(request, "allocations_max", 0, 0, UINT32_MAX);
  if (!allocations) return std::unexpected(allocations.error());
  const auto bytes = number_of(request, "bytes_per_second", 0, 0, UINT64_MAX);
  if (!bytes) return std::unexpected(bytes.error());
  policy.allocations_max = static_cast<std::uint32_t>(*allocations);
  policy.bytes_per_second = *bytes;
  const auto peers = request.find("allowed_peers");
  if (peers == request.end()) return policy;
  if (!peers->is_array()) return std::unexpected("allowed_peers: allowed: a list of addresses or prefixes");
  for (const Json& peer : *peers) {
    const auto prefix = peer.is_string() ? IpPrefix::parse(peer.get<std::string>()) : std::nullopt;
    if (!prefix)
      return std::unexpected(
          fmt::format("allowed_peers: found {}, allowed: an address or prefix", peer.dump()));
    policy.allowed_peers.push_back(*prefix);
  }
  return policy;
}

std::optional<Revocation::By> parse_by(std::string_view text) {
  if (text == "username") return Revocation::By::username;
  if (text == "subject") return Revocation::By::subject;
  if (text == "kid") return Revocation::By::kid;
  if (text == "token_hash") return Revocation::By::token_hash;
  return std::nullopt;
}

std::string_view name_of(Revocation::By by) {
  constexpr std::array names{"username", "subject", "kid", "token_hash"};
  return names[static_cast<std::size_t>(by)];
}

// --- words of an answer
// -------------------------------------------------------------------------------------

void add_end(Json& json, WallTime at) {
  json["expires_at"] = at == WallTime::max() ? Json{} : Json(unix_seconds(at));
}

std::int64_t to_seconds(Duration duration) {
  return std::chrono::floor<std::chrono::seconds>(duration).count();
}

Json describe(const credentials::PushedEntry& entry) {
  Json json;
  json["username"] = entry.username;
  json["subject"] = entry.subject;
  add_end(json, entry.expires_at);
  if (entry.policy.allocations_max != 0) json["allocations_max"] = entry.policy.allocations_max;
  if (entry.policy.bytes_per_second != 0) json["bytes_per_second"] = entry.policy.bytes_per_second;
  for (const IpPrefix& peer : entry.policy.allowed_peers) json["allowed_peers"].push_back(peer.to_string());
  return json;
}

Json describe(const turn::AllocationView& view) {
  Json json;
  json["client"] = view.path.client.to_string();
  json["relayed"] = view.relayed.to_string();
  json["source"] = std::string{credentials::to_string(view.grant->source)};
  json["subject"] = view.grant->subject;
  if (!view.grant->kid.empty()) json["kid"] = view.grant->kid;
  json["expires_in_seconds"] = to_seconds(view.expires_in);
  json["bytes_from_client"] = view.bytes_from_client;
  json["bytes_to_client"] = view.bytes_to_client;
  return json;
}

Json describe(const turn::Counters& counters) {
  Json json;
  json["allocations_active"] = counters.allocations_active;
  json["permissions_active"] = counters.permissions_active;
  json["channels_active"] = counters.channels_active;
  json["allocations_created"] = counters.allocations_created;
  json["allocations_ended"] = counters.allocations_ended;
  json["packets_from_clients"] = counters.packets_from_clients;
  json["packets_to_clients"] = counters.packets_to_clients;
  json["bytes_from_clients"] = counters.bytes_from_clients;
  json["bytes_to_clients"] = counters.bytes_to_clients;
  json["dropped_no_allocation"] = counters.dropped_no_allocation;
  json["dropped_no_permission"] = counters.dropped_no_permission;
  json["dropped_rate"] = counters.dropped_rate;
  json["dropped_malformed"] = counters.dropped_malformed;
  json["requests"] = counters.requests;
  json["challenges"] = counters.challenges;
  json["challenges_suppressed"] = counters.challenges_suppressed;
  Json& refusals = json["credentials_refused"] = Json::object();
  for (std::size_t at = 0; at < counters.refusals.size(); ++at)
    refusals[std::string{credentials::to_string(static_cast<credentials::Refusal>(at))}] =
        counters.refusals[at];
  return json;
}

// --- the commands
// -------------------------------------------------------------------------------------------

// What was pushed and revoked at the relay of this process, if there is one, beside its configuration.
Explanation explain_at(const Config& config, relay::Server* server, KeyProviders* providers,
                       const std::string& username, WallTime wall) {
  credentials::Registry registry{providers == nullptr ? config.credentials : providers->credentials()};
  if (server == nullptr) return explain(registry, username, wall);
  for (const credentials::PushedEntry& entry : server->list_pushed()) {
    if (entry.username != username) continue;
    auto stored =
        credentials::make_pushed_credential(entry.username, "unknown here", config.credentials.realm,
                                            entry.subject, entry.expires_at, entry.policy);
    stored.not_before = entry.not_before;
    (void)registry.pushed().put(std::move(stored), wall);
  }
  for (const Revocation& revocation : server->list_revocations())
    (void)registry.deny_list().add(revocation, wall);
  return explain(registry, username, wall);
}

Result push(const Config& config, relay::Server& server, const Json& request, WallTime wall) {
  if (!config.credentials.pushed) return std::unexpected("this server has no [credentials.pushed]");
  const std::string username = text_of(request, "username");
  const std::string password = text_of(request, "password");
  if (username.empty() || password.empty()) return std::unexpected("push needs username and password");
  const auto ttl = number_of(request, "ttl", 600, 1, ttl_max);
  if (!ttl) return std::unexpected(ttl.error());
  const auto policy = policy_of(request);
  if (!policy) return std::unexpected(policy.error());
  const WallTime expires_at = wall + std::chrono::seconds{*ttl};
  const auto stored = credentials::make_pushed_credential(username, password, config.credentials.realm,
                                                          text_of(request, "subject"), expires_at, *policy);
  if (const auto done = server.put(stored); !done) return std::unexpected(done.error());
  Json answer;
  add_end(answer, expires_at);
  return answer;
}

Result extend(relay::Server& server, const Json& request, WallTime wall) {
  const auto ttl = number_of(request, "ttl", 600, 1, ttl_max);
  if (!ttl) return std::unexpected(ttl.error());
  const WallTime expires_at = wall + std::chrono::seconds{*ttl};
  if (const auto done = server.extend(text_of(request, "username"), expires_at); !done)
    return std::unexpected(done.error());
  Json answer;
  add_end(answer, expires_at);
  return answer;
}

std::expected<Revocation, std::string> revocation_of(const Json& request) {
  const auto by = parse_by(text_of(request, "by"));
  if (!by) return std::unexpected("by: allowed: username, subject, kid, token_hash");
  Revocation revocation{*by, text_of(request, "value")};
  if (revocation.value.empty()) return std::unexpected("value: found nothing");
  if (*by == Revocation::By::token_hash && (revocation.value.size() != 64 || !from_hex(revocation.value)))
    return std::unexpected("value: allowed: the 64 hexadecimal digits of the token's SHA-256");
  return revocation;
}

// Without a ttl, for as long as the credential would have lived, where that is known. At every relay of whom
// this process knows.
Result revoke(const Config& config, relay::Server* server, KeyProviders* providers, RelayGroup* fleet,
              const Json& request, WallTime wall) {
  if (server == nullptr && fleet == nullptr)
    return std::unexpected("this server has no [turn] and no [[relays]]: it knows no relay");
  auto revocation = revocation_of(request);
  if (!revocation) return std::unexpected(revocation.error());
  const auto ttl = number_of(request, "ttl", ttl_default, 1, ttl_max);
  if (!ttl) return std::unexpected(ttl.error());
  revocation->until = wall + std::chrono::seconds{*ttl};
  if (!request.contains("ttl") && revocation->by == Revocation::By::username) {
    const Explanation known = explain_at(config, server, providers, revocation->value, wall);
    if (known.is_valid()) revocation->until = known.grant->expires_at;
  }
  Json answer;
  credentials::ChangeResult here;
  if (server != nullptr) {
    here = server->apply({*revocation}).front();
    answer["allocations_ended"] = here.allocations_ended;
  }
  if (fleet != nullptr) answer["is_confirmed_by_relays"] = fleet->revoke_at_fleet(*revocation);
  if (here.outcome == credentials::PushOutcome::full)
    return std::unexpected(
        fmt::format("{} allocations ended, and new ones are accepted: the deny-list is full, with {} "
                    "revocations that have not ended",
                    here.allocations_ended, credentials::DenyList::entries_max));
  add_end(answer, revocation->until);
  return answer;
}

// Ends what runs and refuses nothing: a revocation that is over at once. A pushed credential goes with it.
Result kick(relay::Server& server, const Json& request, WallTime wall) {
  auto revocation = revocation_of(request);
  if (!revocation) return std::unexpected(revocation.error());
  revocation->until = wall;
  Json answer;
  answer["allocations_ended"] = server.revoke(*revocation);
  return answer;
}

Result list(relay::Server& server, const Json& request) {
  Json answer;
  answer["pushed"] = Json::array();
  const std::string subject = text_of(request, "subject");
  for (const auto& entry : server.list_pushed(subject)) answer["pushed"].push_back(describe(entry));
  answer["revoked"] = Json::array();
  for (const Revocation& revocation : server.list_revocations()) {
    const bool is_of_others = revocation.by != Revocation::By::subject || revocation.value != subject;
    if (!subject.empty() && is_of_others) continue;
    Json entry;
    entry["by"] = std::string{name_of(revocation.by)};
    entry["value"] = revocation.value;
    add_end(entry, revocation.until);
    answer["revoked"].push_back(std::move(entry));
  }
  return answer;
}

Result sessions(relay::Server& server, const Json& request) {
  const auto max = number_of(request, "max", sessions_max, 1, 1'000'000);
  if (!max) return std::unexpected(max.error());
  Json answer;
  answer["active"] = server.counters().allocations_active;
  answer["sessions"] = Json::array();
  for (const auto& view : server.sessions(*max)) answer["sessions"].push_back(describe(view));
  return answer;
}

Result explain_username(const Config& config, relay::Server* server, KeyProviders* providers,
                        const Json& request, WallTime wall) {
  const Explanation found = explain_at(config, server, providers, text_of(request, "username"), wall);
  Json answer;
  answer["valid"] = found.is_valid();
  answer["text"] = format_explanation(found, wall);
  return answer;
}

Json describe(const epcscf::RegistrationView& view) {
  Json json;
  json["impi"] = view.impi;
  json["impus"] = view.impus;
  json["contact"] = view.contact;
  json["flow"] = static_cast<std::uint64_t>(view.flow);
  json["is_connected"] = view.is_connected;
  json["subject"] = view.subject;
  json["expires_in_seconds"] = view.expires_in.count();
  json["has_credentials"] = view.has_credentials;
  return json;
}

Json describe(const service::RelayStatus& relay) {
  Json json;
  json["name"] = relay.name;
  json["url"] = relay.url;
  json["region"] = relay.region;
  json["uris"] = relay.uris;
  json["is_live"] = relay.is_live;
  json["is_offered"] = relay.is_offered;
  json["is_draining"] = relay.is_draining;
  json["load"] = relay.load;
  json["allocations"] = relay.allocations;
  json["credentials"] = relay.credentials;
  json["sequence"] = relay.sequence;
  json["waiting"] = relay.waiting;
  json["problem"] = relay.problem;
  json["failures"] = relay.failures;
  if (relay.last_problem.empty()) return json;
  json["last_problem"] = relay.last_problem;
  json["failed_at"] = unix_seconds(relay.failed_at);
  return json;
}

Result relays(RelayGroup* fleet) {
  if (fleet == nullptr) return std::unexpected("this server has no [[relays]]");
  Json answer;
  answer["relays"] = Json::array();
  for (const service::RelayStatus& relay : fleet->status()) answer["relays"].push_back(describe(relay));
  return answer;
}

Json describe(const epcscf::Counters& counters) {
  Json json;
  json["connections_active"] = counters.clients_active;
  json["registrations_active"] = counters.registrations_active;
  json["calls_active"] = counters.calls_active;
  json["registrations_started"] = counters.registrations_started;
  json["registrations_refreshed"] = counters.registrations_refreshed;
  json["calls_started"] = counters.calls_started;
  json["provisioned"] = counters.provisioned;
  json["provisioned_by_fallback"] = counters.provisioned_by_fallback;
  return json;
}

Json describe(const ims::Counters& counters) {
  Json json;
  json["registered"] = counters.registered;
  json["deregistered"] = counters.deregistered;
  json["refused"] = counters.refused;
  json["forwarded"] = counters.forwarded;
  json["not_routed"] = counters.not_routed;
  return json;
}

Result stats(relay::Server* server, ControlPlane& control_plane) {
  Json answer = server == nullptr ? Json::object() : describe(server->counters());
  if (auto* epcscf = control_plane.epcscf()) answer["epcscf"] = describe(epcscf->counters());
  if (auto* core = control_plane.home_core()) answer["home_core"] = describe(core->counters());
  return answer;
}

constexpr const char* no_epcscf = "this server has no [epcscf]";

Result registrations(ControlPlane& control_plane, const Json& request) {
  if (!control_plane.has_epcscf()) return std::unexpected(no_epcscf);
  const auto max = number_of(request, "max", sessions_max, 1, 1'000'000);
  if (!max) return std::unexpected(max.error());
  Json answer;
  answer["active"] = control_plane.epcscf()->counters().registrations_active;
  answer["registrations"] = Json::array();
  for (const auto& view : control_plane.registrations(*max))
    answer["registrations"].push_back(describe(view));
  return answer;
}

Result deregister(ControlPlane& control_plane, const Json& request) {
  if (!control_plane.has_epcscf()) return std::unexpected(no_epcscf);
  const std::string impi = text_of(request, "impi");
  if (impi.empty()) return std::unexpected("deregister needs impi");
  const std::size_t ended = control_plane.deregister(impi);
  if (ended == 0) return std::unexpected(fmt::format("{} is not registered", impi));
  return Json{{"registrations_ended", ended}};
}

constexpr const char* no_api = "this server has no [api]";

Result users(ControlPlane& control_plane, const Json& request) {
  if (control_plane.api() == nullptr) return std::unexpected(no_api);
  const auto max = number_of(request, "max", sessions_max, 1, 1'000'000);
  if (!max) return std::unexpected(max.error());
  Json answer;
  answer["remembered"] = control_plane.api()->counters().users;
  answer["users"] = Json::array();
  for (const auto& view : control_plane.api()->users(*max))
    answer["users"].push_back(
        {{"user", view.user}, {"subjects", view.subjects}, {"expires_in_seconds", view.expires_in.count()}});
  return answer;
}

Result withdraw(ControlPlane& control_plane, const Json& request) {
  if (control_plane.api() == nullptr) return std::unexpected(no_api);
  const std::string user = text_of(request, "user");
  if (user.empty()) return std::unexpected("withdraw needs user");
  const std::size_t count = control_plane.api()->withdraw(user);
  if (count == 0) return std::unexpected(fmt::format("the API has given {} nothing", user));
  return Json{{"revocations", count}};
}

Result reload(const ReloadOutcome& outcome) {
  if (!outcome.problems.empty())
    return std::unexpected(fmt::format("nothing was changed:\n{}", fmt::join(outcome.problems, "\n")));
  Json answer;
  answer["warnings"] = outcome.warnings;
  answer["needs_restart"] = outcome.needs_restart;
  return answer;
}

Result drain(const DrainOutcome& running) {
  return Json{{"allocations_active", running.allocations_active}, {"calls_active", running.calls_active}};
}

// The commands that look into the relay of this process; nothing for another one.
std::optional<Result> answer_of_relay(const Config& config, relay::Server* server, std::string_view command,
                                      const Json& request, WallTime wall) {
  constexpr std::array<std::string_view, 5> commands{"push", "extend", "kick", "list", "sessions"};
  if (std::ranges::find(commands, command) == commands.end()) return std::nullopt;
  if (server == nullptr) return std::unexpected("this server has no [turn]: ask the relay itself");
  if (command == "push") return push(config, *server, request, wall);
  if (command == "extend") return extend(*server, request, wall);
  if (command == "kick") return kick(*server, request, wall);
  if (command == "list") return list(*server, request);
  return sessions(*server, request);
}

std::string format_answer(Result result) {
  Json answer;
  answer["ok"] = result.has_value();
  if (result)
    answer.update(*result);
  else
    answer["error"] = result.error();
  // A name from the wire may be no UTF-8; it is shown with replacement characters.
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

AdminDesk::AdminDesk(const Config& config, relay::Server* server, const metrics::Registry& metrics,
                     Hooks hooks, ControlPlane& control_plane)
    : config_(config),
      server_(server),
      metrics_(metrics),
      hooks_(std::move(hooks)),
      control_plane_(control_plane) {}

std::string AdminDesk::answer(std::string_view text, WallTime wall) {
  const Json request = Json::parse(text, nullptr, false);
  if (!request.is_object())
    return format_answer(std::unexpected("a request is a JSON object with a command"));
  const std::string command = text_of(request, "command");
  KeyProviders* providers = hooks_.key_providers();
  if (auto answered = answer_of_keys(providers, control_plane_, command, request))
    return format_answer(std::move(*answered));
  if (auto answered = answer_of_relay(config_, server_, command, request, wall))
    return format_answer(std::move(*answered));
  if (command == "revoke")
    return format_answer(revoke(config_, server_, providers, control_plane_.relays(), request, wall));
  if (command == "stats") return format_answer(stats(server_, control_plane_));
  if (command == "relays") return format_answer(relays(control_plane_.relays()));
  if (command == "metrics") return format_answer(Json{{"text", metrics_.serialise()}});
  if (command == "explain")
    return format_answer(explain_username(config_, server_, providers, request, wall));
  if (command == "registrations") return format_answer(registrations(control_plane_, request));
  if (command == "deregister") return format_answer(deregister(control_plane_, request));
  if (command == "users") return format_answer(users(control_plane_, request));
  if (command == "withdraw") return format_answer(withdraw(control_plane_, request));
  if (command == "reload") return format_answer(reload(hooks_.reload()));
  if (command == "drain") return format_answer(drain(hooks_.drain()));
  return format_answer(std::unexpected(fmt::format("there is no command \"{}\"", command)));
}

}  // namespace turnpike::program
