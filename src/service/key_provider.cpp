#include "service/key_provider.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/percent.hpp"
#include "service/alarm.hpp"

namespace turnpike::service {
namespace {

HttpClientSettings make_client_settings(const KeyProviderSettings& settings) {
  return {.ca_file = settings.ca_file,
          .certificate_file = settings.certificate_file,
          .key_file = settings.key_file,
          .deadline = settings.deadline,
          .response_bytes_max = stun_answer_bytes_max,
          .connections_max = 1,
          .waiting_max = 1};
}

// Words of the other side are not repeated.
std::string describe_refusal(unsigned status, const std::string& server_name) {
  if (status == 403)
    return fmt::format("it answered 403: our certificate does not stand for {} there", server_name);
  return fmt::format("it answered {}", status);
}

}  // namespace

std::string make_stun_key_url(const KeyProviderSettings& settings) {
  return settings.url + "/.well-known/stun-key?service=stun&name=" + encode_percent(settings.server_name);
}

KeyProvider::KeyProvider(Loop& loop, KeyProviderSettings settings, Random& random, Hooks hooks)
    : loop_(loop),
      settings_(std::move(settings)),
      random_(random),
      hooks_(std::move(hooks)),
      keys_(settings_.schedule, read_clocks().mono),
      alarm_(std::make_unique<Alarm>(loop, [this] { fetch(); })) {}

KeyProvider::~KeyProvider() = default;

std::expected<void, std::string> KeyProvider::try_files(Loop& loop, const KeyProviderSettings& settings) {
  const auto client = HttpClient::make(loop.context(), make_client_settings(settings));
  if (!client) return std::unexpected(fmt::format("the key provider {}: {}", settings.name, client.error()));
  return {};
}

void KeyProvider::start() {
  is_started_ = true;
  fetch_now();
}

void KeyProvider::stop() {
  if (keys_.is_fetching()) keys_.on_fetch_failed(read_clocks().mono, random_);
  is_started_ = false;
  client_.reset();
  alarm_->cancel();
}

void KeyProvider::fetch_now() {
  if (!is_started_) return;
  keys_.ask_at(read_clocks().mono);
  plan();
}

void KeyProvider::take(std::vector<StunKey> keys, WallTime fetched_at) {
  keys_.take(std::move(keys));
  status_.fetched_at = fetched_at;
}

KeyProviderStatus KeyProvider::status(Instant now) const {
  KeyProviderStatus status = status_;
  status.is_fetching = keys_.is_fetching();
  if (is_started_ && keys_.next_fetch())
    status.next_fetch_in = std::max(*keys_.next_fetch() - now, Duration{});
  return status;
}

void KeyProvider::plan() { alarm_->set(keys_.next_fetch(), read_clocks().mono); }

void KeyProvider::fetch() {
  if (!is_started_ || keys_.is_fetching()) return;
  auto client = HttpClient::make(loop_.context(), make_client_settings(settings_));
  if (!client) return fail(std::move(client.error()), read_clocks());
  client_ = std::move(*client);
  keys_.on_fetch_started();
  client_->send({.url = make_stun_key_url(settings_), .fields = {{"Accept", "application/json"}}},
                [this](const HttpAnswer& answer) { on_answer(answer); });
}

void KeyProvider::on_answer(const HttpAnswer& answer) {
  const Now now = read_clocks();
  if (!answer) return fail(answer.error(), now);
  if (answer->status != 200) return fail(describe_refusal(answer->status, settings_.server_name), now);
  auto read = parse_stun_keys(answer->body, settings_.answer);
  if (!read) return fail(std::move(read.error()), now);
  const auto date = answer->find("date");
  const auto taken =
      keys_.on_fetched(std::move(*read), date ? parse_http_date(*date) : std::nullopt, now, random_);
  if (!taken) return fail(taken.error(), now);
  ++status_.fetches;
  status_.problem.clear();
  status_.fetched_at = now.wall;
  status_.clock_difference = taken->clock_difference;
  plan();
  hooks_.on_fetched(*taken);
}

void KeyProvider::fail(std::string problem, Now now) {
  keys_.on_fetch_failed(now.mono, random_);
  ++status_.failures;
  status_.problem = std::move(problem);
  plan();
  hooks_.on_failed(status_.problem);
}

}  // namespace turnpike::service
