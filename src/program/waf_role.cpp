#include "program/waf_role.hpp"

#include <algorithm>
#include <utility>

#include "program/waf_settings.hpp"

namespace turnpike::program {
namespace {

constexpr int lines_per_second = 20;

}  // namespace

WafReports::WafReports(Log& log, metrics::Registry& metrics)
    : log_(log),
      metrics_(metrics),
      revocations_(metrics.counter("turnpike_waf_revocations_total",
                                   "Revocations of TURN tokens that relays were to be told of")),
      unconfirmed_(metrics.counter("turnpike_waf_revocations_unconfirmed_total",
                                   "The same, where not every relay has acknowledged it")),
      failures_(metrics.counter("turnpike_waf_ledger_failures_total",
                                "Times that the database could not be read or written")),
      fetches_(metrics.counter("turnpike_waf_turn_key_fetches_total",
                               "Times that a TURN server has fetched its keys")),
      unfetched_(metrics.gauge("turnpike_waf_turn_keys_unfetched",
                               "TURN servers whose newest key is due, and nobody has fetched it")),
      issuer_failures_(
          metrics.counter("turnpike_waf_issuer_failures_total",
                          "Times that a provider's metadata or an issuer's keys could not be had")),
      refusals_(lines_per_second),
      troubles_(lines_per_second) {}

void WafReports::on_answer(const service::WafExchange& exchange, Now now) {
  metrics_
      .counter("turnpike_waf_requests_total", "Requests to the WAF, by endpoint and status",
               {{"endpoint", std::string{exchange.endpoint}}, {"status", std::to_string(exchange.status)}})
      .add();
  if (exchange.status < 400 || !log_.shows(LogLevel::info)) return;
  const auto left_out = refusals_.admit(now.mono);
  if (!left_out) return;
  log_.info("waf_refused", {{"endpoint", exchange.endpoint},
                            {"client", exchange.remote.to_string()},
                            {"code", exchange.status},
                            {"reason", exchange.error},
                            {"left_out", *left_out}});
}

void WafReports::on_revoked(bool is_done, Now now) {
  revocations_.add();
  if (is_done) return;
  unconfirmed_.add();
  const auto left_out = troubles_.admit(now.mono);
  if (left_out) log_.warn("revocation_unconfirmed", {{"part", "waf"}, {"left_out", *left_out}});
}

void WafReports::on_keys_changed(Now /*now*/) { log_.info("waf_keys_changed"); }

void WafReports::on_turn_keys(const std::vector<std::string>& unfetched, bool have_changed, Now /*now*/) {
  if (have_changed) log_.info("waf_turn_keys_changed");
  unfetched_.set(static_cast<double>(unfetched.size()));
  for (const std::string& server_name : unfetched)
    if (std::ranges::find(told_unfetched_, server_name) == told_unfetched_.end())
      log_.warn("waf_turn_key_unfetched", {{"server_name", server_name}});
  told_unfetched_ = unfetched;
}

void WafReports::on_turn_keys_fetched(std::string_view server_name, const IpAddress& remote, Now /*now*/) {
  fetches_.add();
  log_.debug("waf_turn_keys_fetched", {{"server_name", server_name}, {"client", remote.to_string()}});
}

void WafReports::on_issuer(const service::IssuerNews& news, Now now) {
  if (news.failure.empty())
    return log_.info("waf_issuer_keys", {{"issuer", news.issuer}, {"keys", news.keys}});
  issuer_failures_.add();
  const auto left_out = troubles_.admit(now.mono);
  if (left_out)
    log_.warn(
        "waf_issuer_unavailable",
        {{"issuer", news.issuer}, {"reason", news.failure}, {"keys", news.keys}, {"left_out", *left_out}});
}

void WafReports::on_ledger_failed(std::string_view what, Now now) {
  failures_.add();
  const auto left_out = troubles_.admit(now.mono);
  if (left_out) log_.error("waf_ledger_failed", {{"problem", what}, {"left_out", *left_out}});
}

std::expected<std::unique_ptr<WafRole>, std::string> WafRole::open(const Config& config, Log& log,
                                                                   metrics::Registry& metrics) {
  std::unique_ptr<WafRole> role{new WafRole{log, metrics}};
  auto ledger =
      store::WafLedger::open(config.waf->database, make_waf_storage_key(*config.waf), config.waf->ledger);
  if (!ledger) return std::unexpected("the WAF: " + ledger.error());
  role->ledger_ = std::move(*ledger);
  auto node = service::WafNode::open(make_waf_node_settings(config), *role->ledger_, role->reports_);
  if (!node) return std::unexpected(std::move(node.error()));
  role->node_ = std::move(*node);
  role->listeners_ = config.waf->door.listeners;
  return role;
}

std::expected<void, std::string> WafRole::change_secret(const WafConfig& config) {
  const Secret key = make_waf_storage_key(config);
  std::expected<std::size_t, std::string> changed;
  const auto change = [&] { changed = ledger_->change_key(key); };
  if (!loop().ask(change)) change();  // the loop does not run: nobody else uses the ledger
  if (!changed) return std::unexpected("waf.secret stays as it was: " + changed.error());
  log_.info("waf_secret_changed", {{"keys_encrypted_anew", *changed}});
  return {};
}

std::expected<void, std::string> WafRole::reconfigure(const Config& config) {
  if (auto done = node_->reconfigure(make_waf_settings(config), config.waf->node.issuers); !done) return done;
  auto done = node_->reload_certificate(config.waf->door.certificate, config.waf->door.key);
  if (!done || !config.waf->keys) return done;
  return node_->reload_key_certificate(config.waf->keys->certificate, config.waf->keys->key);
}

std::optional<std::string> WafRole::key_listener() const {
  const auto address = node_->key_listener();
  return address ? std::optional{"https:" + address->to_string()} : std::nullopt;
}

std::vector<std::string> WafRole::listeners() const {
  std::vector<std::string> names;
  const std::vector<SocketAddress> addresses = node_->listeners();
  names.reserve(addresses.size());
  for (std::size_t at = 0; at < addresses.size(); ++at)
    names.push_back((listeners_[at].is_secure ? "https:" : "http:") + addresses[at].to_string());
  return names;
}

}  // namespace turnpike::program
