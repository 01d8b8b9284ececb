#include "program/serving.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <utility>
#include <vector>

namespace turnpike::program {
namespace {

constexpr int drain_look_ms = 200;

relay::ServerSettings make_server_settings(const Config& config) {
  relay::ServerSettings settings;
  settings.turn = *config.turn;
  settings.turn.listeners = relay::expand_wildcards(config.turn->listeners);
  settings.credentials = config.credentials;
  settings.shards = config.shards;
  settings.nonce_lifetime = config.nonce_lifetime;
  return settings;
}

std::string source_names(const credentials::RegistrySettings& settings) {
  std::vector<std::string_view> names;
  if (settings.static_users) names.emplace_back("static");
  if (settings.computed) names.emplace_back("computed");
  if (settings.pushed) names.emplace_back("pushed");
  if (settings.token) names.emplace_back("token");
  return fmt::format("{}", fmt::join(names, ","));
}

metrics::Counter reload_counter(metrics::Registry& metrics, const char* outcome) {
  return metrics.counter("turnpike_reloads_total", "Times the configuration was read again, by outcome",
                         {{"outcome", outcome}});
}

// "turn.limits" of "[turn.limits]"; "relays[0]" of the first "[[relays]]".
std::string section_of(std::string_view line, std::map<std::string, std::size_t>& counts) {
  if (!line.starts_with("[[")) return std::string{line.substr(1, line.size() - 2)};
  const std::string name{line.substr(2, line.size() - 4)};
  return fmt::format("{}[{}]", name, counts[name]++);
}

bool is_fixed_of_api(std::string_view section, std::string_view key) {
  if (section == "api.limits") return key == "connections_total" || key == "requests_per_second_per_source";
  return section == "api" &&
         (key == "listen" || key == "client_ca" || key == "allow_cleartext" || key == "take_tokens");
}

bool is_fixed_of_waf(std::string_view section, std::string_view key) {
  if (section == "waf.limits")
    return key == "connections_total" || key == "requests_per_second_per_source" || key == "logins_waiting" ||
           key.starts_with("audit_");
  if (section == "waf.stun_keys") return key == "listen" || key == "client_ca";
  return section == "waf" &&
         (key == "listen" || key == "allow_cleartext" || key == "issuer" || key == "database");
}

// Not what a reload takes in.
bool is_fixed(std::string_view section, std::string_view key) {
  if (section.starts_with("epcscf.tokens")) return key == "origins";
  if (section == "epcscf.credentials") return false;
  if (section == "epcscf") return key != "certificate" && key != "key";
  if (section == "turn" || section == "credentials") return key != "uris";
  if (section.starts_with("api")) return is_fixed_of_api(section, key);
  if (section.starts_with("waf")) return is_fixed_of_waf(section, key);
  return section.starts_with("turn.") || section.starts_with("epcscf.") || section == "ims" ||
         section == "admin" || section == "credentials.interface";
}

// The printed configuration as key -> value, without what reload takes in.
std::map<std::string, std::string> fixed_settings(const Config& config) {
  std::map<std::string, std::string> settings;
  std::map<std::string, std::size_t> counts;
  std::string section;
  const std::string all = format_config(config);
  for (std::string_view text = all; !text.empty();) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('[')) section = section_of(line, counts);
    const auto equals = line.find(" = ");
    if (equals == std::string_view::npos || !is_fixed(section, line.substr(0, equals))) continue;
    settings[section + '.' + std::string{line.substr(0, equals)}] = line.substr(equals + 3);
  }
  settings["log.format"] = config.log_format == LogFormat::json ? "json" : "text";
  return settings;
}

// Sections that one of them has alone are told as a whole.
std::vector<std::string> roles_that_differ(const Config& running, const Config& read) {
  std::vector<std::string> roles;
  if (running.turn.has_value() != read.turn.has_value()) roles.emplace_back("turn");
  if (running.epcscf.has_value() != read.epcscf.has_value()) roles.emplace_back("epcscf");
  if (running.ims.has_value() != read.ims.has_value()) roles.emplace_back("ims");
  if (running.api.has_value() != read.api.has_value()) roles.emplace_back("api");
  if (running.waf.has_value() != read.waf.has_value()) roles.emplace_back("waf");
  if (running.relays.empty() != read.relays.empty()) roles.emplace_back("relays");
  if (running.epcscf && read.epcscf && running.epcscf->tokens.has_value() != read.epcscf->tokens.has_value())
    roles.emplace_back("epcscf.tokens");
  if (running.waf && read.waf && running.waf->keys.has_value() != read.waf->keys.has_value())
    roles.emplace_back("waf.stun_keys");
  return roles;
}

}  // namespace

std::vector<std::string> settings_that_need_restart(const Config& running, const Config& read) {
  auto old_settings = fixed_settings(running);
  auto new_settings = fixed_settings(read);
  std::vector<std::string> changed = roles_that_differ(running, read);
  const auto is_told = [roles = changed](const std::string& key) {
    return std::ranges::any_of(roles, [&](const std::string& role) { return key.starts_with(role + '.'); });
  };
  for (const auto& [key, value] : new_settings)
    if (!is_told(key) && (!old_settings.contains(key) || old_settings[key] != value)) changed.push_back(key);
  for (const auto& [key, value] : old_settings)
    if (!is_told(key) && !new_settings.contains(key)) changed.push_back(key);
  return changed;
}

Serving::Serving(Config config, Log& log)
    : config_(std::move(config)),
      log_(log),
      reloads_done_(reload_counter(metrics_, "done")),
      reloads_refused_(reload_counter(metrics_, "refused")) {}

std::expected<std::unique_ptr<Serving>, std::string> Serving::start(Config config, Log& log) {
  std::unique_ptr<Serving> serving{new Serving{std::move(config), log}};
  if (const auto opened = serving->open(); !opened) return std::unexpected(opened.error());
  serving->tell_ready();
  return serving;
}

Serving::~Serving() {
  if (control_plane_) control_plane_->stop();
  relay_interface_.reset();
  key_providers_.reset();
  if (server_) server_->stop();
}

std::expected<void, std::string> Serving::open() {
  if (!config_.admin_socket.empty()) {
    auto socket = AdminSocket::open(config_.admin_socket);
    if (!socket) return std::unexpected(socket.error());
    socket_.emplace(std::move(*socket));
  }
  if (config_.turn)
    if (auto opened = open_relay(); !opened) return opened;
  auto control_plane = ControlPlane::start(config_, server_.get(), log_, metrics_);
  if (!control_plane) return std::unexpected(control_plane.error());
  control_plane_ = std::move(*control_plane);
  metrics_.gauge("turnpike_build_info", "1, with the version as label", {{"version", TURNPIKE_VERSION}})
      .set(1);
  desk_ =
      std::make_unique<AdminDesk>(config_, server_.get(), metrics_,
                                  AdminDesk::Hooks{[this] { return reload(); }, [this] { return drain(); },
                                                   [this] { return key_providers_.get(); }},
                                  *control_plane_);
  return {};
}

std::expected<void, std::string> Serving::open_relay() {
  reports_.emplace(log_, metrics_);
  auto server = relay::Server::start(make_server_settings(config_), *reports_);
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  if (auto opened = open_relay_interface(); !opened) return opened;
  add_relay_metrics(metrics_, *server_);
  return config_.key_providers.empty() ? std::expected<void, std::string>{} : take_in_credentials();
}

// By those who fetch keys, where there is anybody: the relay goes by what is configured and what was fetched.
std::expected<void, std::string> Serving::take_in_credentials() {
  if (key_providers_) return key_providers_->reconfigure(config_);
  if (config_.key_providers.empty()) {
    server_->reconfigure(config_.credentials);
    return {};
  }
  auto providers = KeyProviders::start(config_, *server_, log_, metrics_);
  if (!providers) return std::unexpected(std::move(providers.error()));
  key_providers_ = std::move(*providers);
  return {};
}

std::expected<void, std::string> Serving::open_relay_interface() {
  if (!config_.relay_interface) return {};
  const auto& pushed = config_.credentials.pushed;
  relay_store_ = std::make_unique<RelayStore>(*server_, config_.credentials.realm,
                                              config_.turn->limits.allocations_total,
                                              pushed ? pushed->credentials_max : 0);
  auto interface = RelayInterface::start(*config_.relay_interface, *relay_store_);
  if (!interface) return std::unexpected(interface.error());
  relay_interface_ = std::move(*interface);
  return {};
}

void Serving::tell_relay_ready() {
  for (const std::string& warning : server_->warnings()) log_.warn("start", {{"warning", warning}});
  for (const SocketAddress& listener : server_->listeners())
    log_.info("listening", {{"address", "udp:" + listener.to_string()},
                            {"realm", config_.credentials.realm},
                            {"sources", source_names(config_.credentials)},
                            {"shards", server_->shard_count()}});
}

void Serving::tell_ready() {
  if (server_) tell_relay_ready();
  control_plane_->tell_ready();
  if (relay_interface_)
    log_.info("listening", {{"address", "https:" + relay_interface_->listener().to_string()},
                            {"interface", "credentials"}});
  log_.info(
      "ready",
      {{"version", TURNPIKE_VERSION}, {"config", config_.file}, {"admin_socket", config_.admin_socket}});
}

void Serving::run(int signals) {
  for (;;) {
    std::vector<pollfd> polls{{signals, POLLIN, 0}};
    if (socket_) socket_->append_polls(polls);
    const int ready = ::poll(polls.data(), polls.size(), is_draining_ ? drain_look_ms : -1);
    if (is_draining_ && what_runs().is_nothing()) {
      log_.info("drained");
      break;
    }
    if (ready <= 0) continue;
    if (polls.front().revents != 0 && !obey(signals)) break;
    if (socket_)
      socket_->on_polled(
          polls, [this](std::string_view request) { return desk_->answer(request, read_clocks().wall); });
  }
  control_plane_->stop();
  key_providers_.reset();
  if (server_) server_->stop();
  log_.info("stopped");
}

DrainOutcome Serving::what_runs() {
  DrainOutcome running;
  if (server_) running.allocations_active = server_->counters().allocations_active;
  if (auto* epcscf = control_plane_->epcscf()) running.calls_active = epcscf->counters().calls_active;
  return running;
}

bool Serving::obey(int signals) {
  signalfd_siginfo info{};
  if (::read(signals, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return true;
  if (info.ssi_signo == SIGHUP) {
    (void)reload();
    return true;
  }
  const DrainOutcome running = what_runs();
  log_.info("stopping", {{"signal", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT"},
                         {"allocations_active", running.allocations_active},
                         {"calls_active", running.calls_active}});
  return false;
}

ReloadOutcome Serving::reload() {
  LoadedConfig loaded = load_config(config_.file);
  for (const std::string& warning : loaded.warnings) log_.warn("config", {{"warning", warning}});
  if (!loaded.problems.empty()) {
    for (const std::string& problem : loaded.problems) log_.error("reload_refused", {{"problem", problem}});
    reloads_refused_.add();
    return {.problems = std::move(loaded.problems), .warnings = std::move(loaded.warnings)};
  }
  ReloadOutcome outcome{.warnings = std::move(loaded.warnings),
                        .needs_restart = settings_that_need_restart(config_, loaded.config)};
  for (const std::string& key : outcome.needs_restart) log_.warn("reload_needs_restart", {{"setting", key}});
  take_in(loaded.config, outcome);
  reloads_done_.add();
  log_.info("reloaded", {{"sources", source_names(config_.credentials)}});
  return outcome;
}

void Serving::take_in(Config& read, ReloadOutcome& outcome) {
  // The realm is a fixed setting: credentials of another one would not be asked for.
  read.credentials.realm = config_.credentials.realm;
  if (read.credentials.token && config_.server_name != read.server_name)
    read.credentials.token->server_name = config_.server_name;
  config_.credentials = std::move(read.credentials);
  config_.log_level = read.log_level;
  config_.uris = std::move(read.uris);
  log_.set_level_min(config_.log_level);
  config_.key_providers = std::move(read.key_providers);
  for (service::KeyProviderSettings& provider : config_.key_providers)
    provider.server_name = config_.server_name;
  if (server_)
    if (const auto done = take_in_credentials(); !done) {
      if (!key_providers_) server_->reconfigure(config_.credentials);
      log_.warn("config", {{"warning", done.error()}});
      outcome.warnings.push_back(done.error());
    }
  take_in_control_plane(read, outcome);
}

namespace {

void take_in_issuing(EpcscfConfig& running, EpcscfConfig& read) {
  running.sources = std::move(read.sources);
  running.uris = std::move(read.uris);
  running.life = read.life;
  running.door.certificate = std::move(read.door.certificate);
  running.door.key = std::move(read.door.key);
}

// Whether there are tokens at all was settled at the start.
void take_in_issuing(ApiConfig& running, ApiConfig& read) {
  const bool takes_tokens = running.desk.takes_tokens;
  epcscf::BearerSettings bearer = std::move(running.desk.bearer);
  running.desk = std::move(read.desk);
  if (takes_tokens && read.tokens) {
    running.tokens = std::move(read.tokens);
    running.wwsf_origins = std::move(read.wwsf_origins);
  } else {
    running.desk.bearer = std::move(bearer);
  }
  running.desk.takes_tokens = takes_tokens;
  running.sources = std::move(read.sources);
  running.uris = std::move(read.uris);
  running.door.certificate = std::move(read.door.certificate);
  running.door.key = std::move(read.door.key);
}

// The issuer stays that of what was given out; the secret was seen to before.
void take_in_issuing(WafConfig& running, WafConfig& read) {
  read.node.waf.issuer = std::move(running.node.waf.issuer);
  running.node.waf = std::move(read.node.waf);
  running.node.issuers = std::move(read.node.issuers);
  running.turn_uris = std::move(read.turn_uris);
  running.turn_resources = std::move(read.turn_resources);
  running.turn_servers = std::move(read.turn_servers);
  if (running.keys && read.keys) {
    running.keys->certificate = std::move(read.keys->certificate);
    running.keys->key = std::move(read.keys->key);
  }
  running.door.certificate = std::move(read.door.certificate);
  running.door.key = std::move(read.door.key);
}

}  // namespace

void Serving::take_in_control_plane(Config& read, ReloadOutcome& outcome) {
  const auto warn = [&](const std::expected<void, std::string>& done) {
    if (done) return;
    log_.warn("config", {{"warning", done.error()}});
    outcome.warnings.push_back(done.error());
  };
  if (!config_.relays.empty() && !read.relays.empty()) config_.relays = std::move(read.relays);
  if (config_.api && read.api) take_in_issuing(*config_.api, *read.api);
  if (config_.waf && read.waf) {
    if (!read.waf->secret.equals(config_.waf->secret.reveal())) {
      const auto done = control_plane_->change_waf_secret(*read.waf);
      warn(done);
      if (done) config_.waf->secret = std::move(read.waf->secret);
    }
    take_in_issuing(*config_.waf, *read.waf);
  }
  if (config_.epcscf && read.epcscf) {
    EpcscfConfig& running = *config_.epcscf;
    take_in_issuing(running, *read.epcscf);
    if (running.tokens && read.epcscf->tokens) {
      const auto done = control_plane_->reconfigure_tokens(*read.epcscf->tokens);
      warn(done);
      if (done) {
        running.tokens = std::move(read.epcscf->tokens);
        running.proxy.bearer = std::move(read.epcscf->proxy.bearer);
      }
    }
  }
  warn(control_plane_->reconfigure(config_));
}

DrainOutcome Serving::drain() {
  const DrainOutcome running = what_runs();
  if (!is_draining_)
    log_.info("draining",
              {{"allocations_active", running.allocations_active}, {"calls_active", running.calls_active}});
  is_draining_ = true;
  control_plane_->drain();
  if (server_) server_->drain();
  return running;
}

}  // namespace turnpike::program
