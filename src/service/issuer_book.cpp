#include "service/issuer_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace turnpike::service {
namespace {

// OpenID Connect Discovery section 4.1: behind the path of the issuer.
std::string discovery_uri_of(std::string_view issuer) {
  while (issuer.ends_with('/')) issuer.remove_suffix(1);
  return std::string{issuer} + "/.well-known/openid-configuration";
}

std::expected<std::string_view, std::string> body_of(const HttpAnswer& answer) {
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return std::unexpected(fmt::format("status {}", answer->status));
  return std::string_view{answer->body};
}

}  // namespace

struct IssuerBook::Entry : std::enable_shared_from_this<Entry> {
  Entry(IssuerSource from, const IssuerKeysSettings& settings, boost::asio::io_context& loop)
      : source(std::move(from)), keys(settings, read_clocks().mono), next_fetch(loop) {}

  IssuerSource source;
  IssuerKeys keys;
  boost::asio::steady_timer next_fetch;
  std::unique_ptr<HttpClient> client{};
  std::optional<Instant> metadata_at{};  // when they were fetched
  std::vector<std::function<void()>> waiting{};
};

std::expected<std::shared_ptr<IssuerBook>, std::string> IssuerBook::make(
    boost::asio::io_context& loop, const std::vector<IssuerSource>& sources, IssuerBookSettings settings,
    std::function<void(const IssuerNews&)> on_news, const IssuerBook* earlier) {
  std::shared_ptr<IssuerBook> book{new IssuerBook{loop, settings, std::move(on_news)}};
  for (const IssuerSource& source : sources)
    if (auto added = book->add(source, earlier); !added)
      return std::unexpected(fmt::format("issuer {}: {}", source.issuer, added.error()));
  return book;
}

std::expected<void, std::string> IssuerBook::add(const IssuerSource& source, const IssuerBook* earlier) {
  auto entry = std::make_shared<Entry>(source, settings_.keys, loop_);
  auto client = HttpClient::make(loop_, {.ca_file = source.ca_file,
                                         .deadline = source.deadline,
                                         .response_bytes_max = settings_.limits.key_set_bytes_max,
                                         .connections_max = settings_.connections_max,
                                         .waiting_max = settings_.calls_waiting_max});
  if (!client) return std::unexpected(client.error());
  entry->client = std::move(*client);
  const Entry* known = earlier == nullptr ? nullptr : earlier->find(source.issuer);
  if (known != nullptr && known->source == source && !known->keys.is_fetching()) {
    entry->keys = known->keys;
    entry->metadata_at = known->metadata_at;
    states_[source.issuer] = earlier->states_.at(source.issuer);
    if (states_[source.issuer].keys) plan(*entry);
  } else {
    states_[source.issuer] = {};
  }
  entries_.push_back(std::move(entry));
  return {};
}

IssuerBook::Entry* IssuerBook::find(std::string_view issuer) const {
  const auto found =
      std::ranges::find_if(entries_, [&](const auto& entry) { return entry->source.issuer == issuer; });
  return found == entries_.end() ? nullptr : found->get();
}

void IssuerBook::ensure(const waf::FetchNeeded& needed, std::function<void()> on_done) {
  Entry* entry = find(needed.issuer);
  const bool may_wait = entry != nullptr && entry->waiting.size() < settings_.waiting_max;
  if (!may_wait || entry->keys.on_missing(read_clocks().mono) != IssuerKeys::Advice::wait) {
    boost::asio::post(loop_, std::move(on_done));
    return;
  }
  entry->waiting.push_back(std::move(on_done));
  if (!entry->keys.is_fetching()) fetch(*entry);
}

void IssuerBook::send(std::string_view issuer, HttpRequest request,
                      std::function<void(HttpAnswer)> on_answer) {
  Entry* entry = find(issuer);
  if (entry != nullptr) {
    // The answer is waited for, also where a newer book has taken this one's place.
    entry->client->send(std::move(request), [self = shared_from_this(), on_answer = std::move(on_answer)](
                                                HttpAnswer answer) { on_answer(std::move(answer)); });
    return;
  }
  boost::asio::post(loop_,
                    [on_answer = std::move(on_answer)] { on_answer(std::unexpected("no such issuer")); });
}

void IssuerBook::warm_up() {
  for (const auto& entry : entries_)
    if (!states_[entry->source.issuer].keys && !entry->keys.is_fetching()) fetch(*entry);
}

void IssuerBook::close() {
  for (const auto& entry : entries_) {
    entry->next_fetch.cancel();
    entry->client.reset();
    entry->waiting.clear();
  }
  entries_.clear();
}

void IssuerBook::fetch(Entry& entry) {
  entry.next_fetch.cancel();
  entry.keys.on_fetch_started();
  const bool has_metadata =
      entry.metadata_at.has_value() && read_clocks().mono - *entry.metadata_at < settings_.metadata_lifetime;
  if (!entry.source.jwks_uri.empty() || has_metadata) return fetch_keys(entry);
  ask(entry, discovery_uri_of(entry.source.issuer),
      [this, &entry](const HttpAnswer& answer) { on_metadata(entry, answer); });
}

void IssuerBook::ask(Entry& entry, const std::string& url, std::function<void(const HttpAnswer&)> on_answer) {
  HttpRequest request{.url = url, .fields = {{"Accept", "application/json, application/jwk-set+json"}}};
  entry.client->send(std::move(request), [self = shared_from_this(), on_answer = std::move(on_answer)](
                                             const HttpAnswer& answer) { on_answer(answer); });
}

void IssuerBook::on_metadata(Entry& entry, const HttpAnswer& answer) {
  const auto body = body_of(answer);
  auto metadata = body ? waf::read_provider_metadata(*body, entry.source.issuer, settings_.limits)
                       : std::expected<waf::ProviderMetadata, std::string>{std::unexpected(body.error())};
  if (metadata) {
    states_[entry.source.issuer].metadata = std::move(*metadata);
    entry.metadata_at = read_clocks().mono;
  }
  // Older ones still say where the keys are.
  if (states_[entry.source.issuer].metadata) return fetch_keys(entry);
  fail(entry, metadata.error());
}

void IssuerBook::fetch_keys(Entry& entry) {
  const auto& metadata = states_[entry.source.issuer].metadata;
  ask(entry, entry.source.jwks_uri.empty() ? metadata->jwks_uri : entry.source.jwks_uri,
      [this, &entry](const HttpAnswer& answer) { on_keys(entry, answer); });
}

void IssuerBook::on_keys(Entry& entry, const HttpAnswer& answer) {
  const auto body = body_of(answer);
  if (!body) return fail(entry, body.error());
  auto keys = jose::KeySet::parse(*body, settings_.limits);
  if (!keys) return fail(entry, keys.error());
  auto& known = states_[entry.source.issuer].keys;
  const bool are_others = !known || known->kids() != keys->kids();
  const auto cache_control = answer->find("Cache-Control");
  known = *keys;
  entry.keys.on_fetched(std::move(*keys), cache_control ? read_max_age(*cache_control) : std::nullopt,
                        read_clocks().mono);
  if (are_others) on_news_({.issuer = entry.source.issuer, .keys = known->size()});
  end_fetch(entry);
}

void IssuerBook::fail(Entry& entry, const std::string& why) {
  entry.keys.on_fetch_failed(read_clocks().mono);
  const auto& known = states_[entry.source.issuer].keys;
  on_news_({.issuer = entry.source.issuer, .keys = known ? known->size() : 0, .failure = why});
  end_fetch(entry);
}

void IssuerBook::end_fetch(Entry& entry) {
  plan(entry);
  for (const auto& on_done : std::exchange(entry.waiting, {})) on_done();
}

void IssuerBook::plan(Entry& entry) {
  const auto at = entry.keys.next_fetch();
  if (!at) return;
  entry.next_fetch.expires_after(std::max(*at - read_clocks().mono, Duration{}));
  entry.next_fetch.async_wait(
      [weak = weak_from_this(), weak_entry = entry.weak_from_this()](boost::system::error_code error) {
        const auto self = weak.lock();
        const auto due = weak_entry.lock();
        if (!error && self && due && !due->keys.is_fetching()) self->fetch(*due);
      });
}

}  // namespace turnpike::service
