#include "program/key_providers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/random.hpp"
#include "program/key_state.hpp"
#include "service/loop.hpp"

namespace turnpike::program {
namespace {

using service::KeyProvider;
using service::KeyProviderSettings;
using service::StunKey;

bool is_same_provider(const KeyProviderSettings& a, const KeyProviderSettings& b) {
  return a.name == b.name && a.url == b.url && a.answer.kid_prefix == b.answer.kid_prefix;
}

bool overlap(std::string_view a, std::string_view b) { return a.starts_with(b) || b.starts_with(a); }

double to_seconds(Duration duration) { return std::chrono::duration<double>{duration}.count(); }

}  // namespace

// Everything here is done on the loop, or while that does not run.
class KeyProviders::Impl {
 public:
  Impl(relay::Server& server, Log& log) : server_(server), log_(log) {}
  ~Impl() { loop_.stop(); }

  std::expected<void, std::string> take_in(const Config& config);
  void start() {
    apply();
    for (const auto& each : providers_) begin(*each);
    loop_.start("stun-keys");
  }
  template <typename Task>
  void ask(Task task) {
    if (!loop_.ask(task)) task();
  }
  std::expected<void, std::string> reconfigure(const Config& config) {
    const auto done = take_in(config);
    apply();
    for (const auto& each : providers_) begin(*each);
    return done;
  }

  [[nodiscard]] credentials::RegistrySettings merged() const;
  [[nodiscard]] std::vector<KeyProviderView> views() const;
  std::expected<void, std::string> fetch(std::string_view name);
  std::expected<std::size_t, std::string> withdraw(std::string_view name);
  std::expected<void, std::string> restore(std::string_view name);

 private:
  struct Provider {
    std::unique_ptr<KeyProvider> fetcher{};
    bool is_withdrawn_by_hand = false;
    bool has_begun = false;
    bool has_failed = false;  // the last time
    std::chrono::seconds told_difference{0};
    [[nodiscard]] const KeyProviderSettings& settings() const { return fetcher->settings(); }
    [[nodiscard]] bool is_withdrawn() const { return settings().is_withdrawn || is_withdrawn_by_hand; }
  };

  std::unique_ptr<Provider> make(const KeyProviderSettings& settings);
  void begin(Provider& provider);
  void apply() { server_.reconfigure(merged()); }
  void save(const Provider& provider);
  void on_fetched(Provider& provider, const service::ProviderKeys::Taken& taken);
  void on_failed(Provider& provider, const std::string& problem);
  [[nodiscard]] Provider* find(std::string_view name) const;
  [[nodiscard]] std::size_t count_allocations(std::string_view kid_prefix);

  relay::Server& server_;
  Log& log_;
  SystemRandom random_{};
  credentials::RegistrySettings base_{};
  std::string server_name_{};
  std::vector<std::string> gone_{};  // prefixes of providers that were here
  service::Loop loop_{};
  std::vector<std::unique_ptr<Provider>> providers_{};  // end before the loop that they wait on
};

std::expected<void, std::string> KeyProviders::Impl::take_in(const Config& config) {
  base_ = config.credentials;
  server_name_ = config.server_name;
  for (const KeyProviderSettings& settings : config.key_providers)
    if (auto usable = KeyProvider::try_files(loop_, settings); !usable) return usable;
  std::vector<std::unique_ptr<Provider>> before = std::exchange(providers_, {});
  for (const KeyProviderSettings& settings : config.key_providers) {
    auto made = make(settings);
    const auto old = std::ranges::find_if(
        before, [&](const auto& it) { return is_same_provider(it->settings(), settings); });
    if (old != before.end()) {
      made->is_withdrawn_by_hand = (*old)->is_withdrawn_by_hand;
      const auto fetched_at = (*old)->fetcher->status(read_clocks().mono).fetched_at;
      if (!made->is_withdrawn() && fetched_at) made->fetcher->take((*old)->fetcher->keys(), *fetched_at);
    }
    providers_.push_back(std::move(made));
  }
  for (const auto& old : before) gone_.push_back(old->settings().answer.kid_prefix);
  std::erase_if(gone_, [&](const std::string& prefix) {
    const bool is_there = std::ranges::any_of(
        providers_, [&](const auto& it) { return overlap(it->settings().answer.kid_prefix, prefix); });
    const bool is_configured = base_.token && std::ranges::any_of(base_.token->keys, [&](const auto& key) {
                                 return key.kid.starts_with(prefix);
                               });
    return is_there || is_configured;
  });
  std::ranges::sort(gone_);
  gone_.erase(std::ranges::unique(gone_).begin(), gone_.end());
  return {};
}

std::unique_ptr<KeyProviders::Impl::Provider> KeyProviders::Impl::make(const KeyProviderSettings& settings) {
  auto provider = std::make_unique<Provider>();
  Provider& made = *provider;
  made.fetcher = std::make_unique<KeyProvider>(
      loop_, settings, random_,
      KeyProvider::Hooks{
          .on_fetched = [this, &made](const service::ProviderKeys::Taken& taken) { on_fetched(made, taken); },
          .on_failed = [this, &made](const std::string& problem) { on_failed(made, problem); }});
  const auto state = read_key_state(settings);
  if (!state) {
    log_.warn("stun_keys_state", {{"provider", settings.name}, {"problem", state.error()}});
    return provider;
  }
  made.is_withdrawn_by_hand = state->is_withdrawn;
  if (!made.is_withdrawn() && !state->keys.empty()) made.fetcher->take(state->keys, state->fetched_at);
  return provider;
}

void KeyProviders::Impl::begin(Provider& provider) {
  if (provider.has_begun || provider.is_withdrawn()) return;
  provider.has_begun = true;
  provider.fetcher->start();
}

credentials::RegistrySettings KeyProviders::Impl::merged() const {
  credentials::RegistrySettings settings = base_;
  // Where all of it was taken out of the configuration, there is still something to refuse.
  if (!settings.token && !gone_.empty()) settings.token = {.server_name = server_name_};
  if (!settings.token) return settings;
  credentials::TokenSettings& token = *settings.token;
  token.withdrawn_prefixes = gone_;
  for (const auto& provider : providers_) {
    if (provider->is_withdrawn()) {
      token.withdrawn_prefixes.push_back(provider->settings().answer.kid_prefix);
      continue;
    }
    for (const StunKey& key : provider->fetcher->keys())
      token.keys.push_back({.kid = key.kid,
                            .key = key.key,
                            .algorithm = key.algorithm,
                            .derives = provider->settings().derives,
                            .not_after = key.accepted_until});
  }
  return settings;
}

std::vector<KeyProviderView> KeyProviders::Impl::views() const {
  std::vector<KeyProviderView> views;
  const Instant now = read_clocks().mono;
  for (const auto& provider : providers_) {
    const KeyProviderSettings& settings = provider->settings();
    KeyProviderView view{.name = settings.name,
                         .url = settings.url,
                         .kid_prefix = settings.answer.kid_prefix,
                         .is_withdrawn = provider->is_withdrawn(),
                         .status = provider->fetcher->status(now)};
    for (const StunKey& key : provider->fetcher->keys())
      view.keys.push_back({.kid = key.kid, .ends_at = key.ends_at, .accepted_until = key.accepted_until});
    views.push_back(std::move(view));
  }
  return views;
}

KeyProviders::Impl::Provider* KeyProviders::Impl::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(providers_, [&](const auto& it) { return it->settings().name == name; });
  return found == providers_.end() ? nullptr : found->get();
}

std::expected<void, std::string> KeyProviders::Impl::fetch(std::string_view name) {
  Provider* provider = find(name);
  if (provider == nullptr) return std::unexpected(fmt::format("there is no provider \"{}\"", name));
  if (provider->is_withdrawn())
    return std::unexpected(fmt::format("{} is withdrawn; turnpike key restore lets it in again", name));
  provider->fetcher->fetch_now();
  return {};
}

std::expected<std::size_t, std::string> KeyProviders::Impl::withdraw(std::string_view name) {
  Provider* provider = find(name);
  if (provider == nullptr) return std::unexpected(fmt::format("there is no provider \"{}\"", name));
  const std::size_t ended = count_allocations(provider->settings().answer.kid_prefix);
  provider->is_withdrawn_by_hand = true;
  provider->has_begun = false;
  provider->fetcher->stop();
  provider->fetcher->forget_keys();
  apply();
  log_.warn("key_provider_withdrawn", {{"provider", name}, {"allocations_ended", ended}});
  save(*provider);
  return ended;
}

std::expected<void, std::string> KeyProviders::Impl::restore(std::string_view name) {
  Provider* provider = find(name);
  if (provider == nullptr) return std::unexpected(fmt::format("there is no provider \"{}\"", name));
  if (provider->settings().is_withdrawn)
    return std::unexpected(
        fmt::format("the configuration says that {} is withdrawn; change it and reload", name));
  if (!provider->is_withdrawn()) return std::unexpected(fmt::format("{} is not withdrawn", name));
  provider->is_withdrawn_by_hand = false;
  log_.warn("key_provider_restored", {{"provider", name}});
  save(*provider);
  apply();
  begin(*provider);
  return {};
}

std::size_t KeyProviders::Impl::count_allocations(std::string_view kid_prefix) {
  const auto sessions = server_.sessions(server_.counters().allocations_active);
  return static_cast<std::size_t>(std::ranges::count_if(
      sessions, [&](const turn::AllocationView& view) { return view.grant->kid.starts_with(kid_prefix); }));
}

void KeyProviders::Impl::save(const Provider& provider) {
  const auto fetched_at = provider.fetcher->status(read_clocks().mono).fetched_at;
  const auto saved = write_key_state(provider.settings(), {.keys = provider.fetcher->keys(),
                                                           .fetched_at = fetched_at.value_or(WallTime{}),
                                                           .is_withdrawn = provider.is_withdrawn_by_hand});
  if (!saved)
    log_.warn("stun_keys_state", {{"provider", provider.settings().name}, {"problem", saved.error()}});
}

void KeyProviders::Impl::on_fetched(Provider& provider, const service::ProviderKeys::Taken& taken) {
  const std::string& name = provider.settings().name;
  if (taken.have_changed) apply();
  for (const std::string& kid : taken.withdrawn) {
    // What was made with it runs no longer; nothing new begins, as the key is gone.
    const std::size_t ended =
        server_.revoke({.by = credentials::Revocation::By::kid, .value = kid, .until = read_clocks().wall});
    log_.warn("stun_key_withdrawn", {{"provider", name}, {"kid", kid}, {"allocations_ended", ended}});
  }
  const auto status = provider.fetcher->status(read_clocks().mono);
  const auto wait =
      std::chrono::floor<std::chrono::seconds>(status.next_fetch_in.value_or(Duration{})).count();
  const bool is_news = taken.have_changed || std::exchange(provider.has_failed, false);
  log_.write(is_news ? LogLevel::info : LogLevel::debug, "stun_keys_fetched",
             {{"provider", name},
              {"keys", provider.fetcher->keys().size()},
              {"newest", provider.fetcher->keys().front().kid},
              {"next_fetch_seconds", wait}});
  if (taken.clock_difference != provider.told_difference && taken.clock_difference.count() != 0)
    log_.warn("stun_keys_clock", {{"provider", name}, {"ahead_by_seconds", taken.clock_difference.count()}});
  provider.told_difference = taken.clock_difference;
  save(provider);
}

void KeyProviders::Impl::on_failed(Provider& provider, const std::string& problem) {
  provider.has_failed = true;
  const auto status = provider.fetcher->status(read_clocks().mono);
  const auto wait =
      std::chrono::ceil<std::chrono::seconds>(status.next_fetch_in.value_or(Duration{})).count();
  log_.warn("stun_keys_unavailable", {{"provider", provider.settings().name},
                                      {"problem", problem},
                                      {"keys", provider.fetcher->keys().size()},
                                      {"next_fetch_seconds", wait}});
}

namespace {

void collect(metrics::Samples& samples, const std::vector<KeyProviderView>& views) {
  const WallTime now = read_clocks().wall;
  for (const KeyProviderView& view : views) {
    const metrics::Labels labels{{"provider", view.name}};
    const auto gauge = [&](const char* name, const char* help, double value) {
      samples.gauge(name, help, labels, value);
    };
    gauge("turnpike_key_provider_keys", "Keys of tokens that were fetched from a provider",
          static_cast<double>(view.keys.size()));
    gauge("turnpike_key_provider_withdrawn", "1 where nothing of the provider is accepted",
          view.is_withdrawn ? 1 : 0);
    gauge("turnpike_key_provider_key_ends_in_seconds",
          "Until nothing is made with the newest key any more; below 0: it has ended",
          view.keys.empty() ? 0 : to_seconds(view.keys.front().ends_at - now));
    gauge("turnpike_key_provider_clock_difference_seconds",
          "By which our clock is ahead of the provider's; 0: within the tolerance",
          static_cast<double>(view.status.clock_difference.count()));
    for (const auto& [outcome, count] :
         {std::pair{"done", view.status.fetches}, std::pair{"failed", view.status.failures}})
      samples.counter("turnpike_key_provider_fetches_total",
                      "Times that a provider's keys were asked for, by outcome",
                      {{"provider", view.name}, {"outcome", outcome}}, static_cast<double>(count));
  }
}

}  // namespace

std::expected<std::unique_ptr<KeyProviders>, std::string> KeyProviders::start(const Config& config,
                                                                              relay::Server& server, Log& log,
                                                                              metrics::Registry& metrics) {
  auto impl = std::make_unique<Impl>(server, log);
  if (auto done = impl->take_in(config); !done) return std::unexpected(std::move(done.error()));
  impl->start();
  std::unique_ptr<KeyProviders> providers{new KeyProviders{std::move(impl)}};
  metrics.on_collect([&each = *providers](metrics::Samples& samples) { collect(samples, each.views()); });
  return providers;
}

KeyProviders::KeyProviders(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KeyProviders::~KeyProviders() = default;

std::expected<void, std::string> KeyProviders::reconfigure(const Config& config) {
  std::expected<void, std::string> outcome;
  impl_->ask([&] { outcome = impl_->reconfigure(config); });
  return outcome;
}

credentials::RegistrySettings KeyProviders::credentials() {
  credentials::RegistrySettings settings;
  impl_->ask([&] { settings = impl_->merged(); });
  return settings;
}

std::vector<KeyProviderView> KeyProviders::views() {
  std::vector<KeyProviderView> views;
  impl_->ask([&] { views = impl_->views(); });
  return views;
}

std::expected<void, std::string> KeyProviders::fetch(std::string_view name) {
  std::expected<void, std::string> outcome;
  impl_->ask([&] { outcome = impl_->fetch(name); });
  return outcome;
}

std::expected<std::size_t, std::string> KeyProviders::withdraw(std::string_view name) {
  std::expected<std::size_t, std::string> outcome;
  impl_->ask([&] { outcome = impl_->withdraw(name); });
  return outcome;
}

std::expected<void, std::string> KeyProviders::restore(std::string_view name) {
  std::expected<void, std::string> outcome;
  impl_->ask([&] { outcome = impl_->restore(name); });
  return outcome;
}

}  // namespace turnpike::program
