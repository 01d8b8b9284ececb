#include "client/sip_load.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/crypto.hpp"
#include "base/random.hpp"
#include "client/load_histogram.hpp"
#include "client/load_process.hpp"
#include "client/sip_load_client.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using Outcome = SipLoadClient::Outcome;

constexpr std::size_t opening_max = 64;  // connections that are being opened at the same time
constexpr milliseconds open_wait{30000};
constexpr std::size_t failures_max = 10'000;  // a server that refuses everything ends the run

double to_seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

struct Usage {
  std::chrono::nanoseconds cpu{};
  std::uint64_t bytes = 0;
};

class SipLoad {
 public:
  explicit SipLoad(const SipLoadSettings& settings) : settings_(settings) { report_.settings = settings; }
  ~SipLoad();
  SipLoad(const SipLoad&) = delete;
  SipLoad& operator=(const SipLoad&) = delete;

  std::expected<SipLoadReport, std::string> run();

 private:
  std::expected<void, std::string> prepare();
  std::expected<void, std::string> open_all();
  std::expected<void, std::string> measure();
  [[nodiscard]] std::expected<Usage, std::string> usage() const;
  void open_next();
  void wait(milliseconds at_most);
  void serve(std::uint32_t index);
  void watch(std::uint32_t index);
  void on_outcome(std::uint32_t index, Outcome outcome);
  void reconnect(std::uint32_t index);
  void finish(const Usage& began, const Usage& ended, std::chrono::nanoseconds own, Duration took);

  const SipLoadSettings& settings_;
  SipLoadReport report_;
  SipLoadCommons commons_{settings_};
  std::vector<SipLoadClient> clients_;
  std::vector<int> watched_;  // the descriptor and interest that epoll knows
  std::vector<bool> watched_write_;
  std::size_t opened_ = 0, opening_ = 0, registered_once_ = 0;
  std::uint64_t failed_ = 0;
  int epoll_ = -1;
  Instant now_{};
  bool is_measuring_ = false;
  bool is_running_ = false;  // clients register over and over
  LoadHistogram latency_;
};

SipLoad::~SipLoad() {
  if (epoll_ >= 0) ::close(epoll_);
  clients_.clear();
  if (commons_.tls != nullptr) SSL_CTX_free(commons_.tls);
}

std::expected<SipLoadReport, std::string> SipLoad::run() {
  if (auto ready = prepare(); !ready) return std::unexpected(ready.error());
  const auto before = usage();
  if (!before) return std::unexpected(before.error());
  if (auto opened = open_all(); !opened) return std::unexpected(opened.error());
  if (auto measured = measure(); !measured) return std::unexpected(measured.error());
  if (!settings_.server_pids.empty()) {
    report_.bytes_before = before->bytes;
    report_.bytes_per_connection =
        (static_cast<double>(*report_.bytes_after) - static_cast<double>(before->bytes)) /
        static_cast<double>(std::max<std::size_t>(report_.connected, 1));
  }
  return std::move(report_);
}

std::expected<void, std::string> SipLoad::prepare() {
  if (settings_.connections == 0 || settings_.connections > sip_load_connections_max)
    return std::unexpected(fmt::format("connections: found {}, allowed: 1 to {}", settings_.connections,
                                       sip_load_connections_max));
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < settings_.connections + 64)
    return std::unexpected(fmt::format("this machine allows {} open files: ulimit -n", files.rlim_cur));
  if (settings_.is_secure) {
    commons_.tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(commons_.tls, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_mode(commons_.tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
  }
  const std::string ha2 = "REGISTER:sip:" + settings_.home;
  commons_.ha2 = settings_.hash == sip::DigestHash::md5 ? to_hex(crypto::md5(as_bytes(ha2)))
                                                        : to_hex(crypto::sha256(as_bytes(ha2)));
  commons_.run = to_hex(SystemRandom{}.draw<4>());
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return std::unexpected("this machine gives no epoll");
  clients_.reserve(settings_.connections);
  for (std::size_t i = 0; i < settings_.connections; ++i) clients_.emplace_back(commons_, i);
  watched_.assign(settings_.connections, -1);
  watched_write_.assign(settings_.connections, false);
  now_ = read_clocks().mono;
  return {};
}

// Every client connects and, where connections are kept, registers once.
std::expected<void, std::string> SipLoad::open_all() {
  const Instant deadline = now_ + open_wait + milliseconds{settings_.connections * 10};
  while (registered_once_ < clients_.size()) {
    while (opened_ < clients_.size() && opening_ < opening_max) open_next();
    wait(milliseconds{100});
    if (now_ > deadline || failed_ > failures_max) break;
    if (failed_ > 0 && registered_once_ == 0 && opening_ == 0) break;
  }
  if (registered_once_ == clients_.size()) return {};
  const auto worst = std::max_element(report_.failures.begin(), report_.failures.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::unexpected(fmt::format("{} of {} clients registered: {}", registered_once_, clients_.size(),
                                     worst == report_.failures.end() ? "no answer came" : worst->first));
}

void SipLoad::open_next() {
  const auto index = static_cast<std::uint32_t>(opened_++);
  ++opening_;
  reconnect(index);
}

void SipLoad::reconnect(std::uint32_t index) {
  watched_[index] = -1;
  if (auto connected = clients_[index].connect(now_); !connected) {
    ++report_.failures[connected.error()];
    ++failed_;
    return;
  }
  watch(index);
}

// Level-triggered, with interest in writing while something waits to be written.
void SipLoad::watch(std::uint32_t index) {
  const SipLoadClient& client = clients_[index];
  const bool is_known = watched_[index] == client.descriptor();
  if (client.descriptor() < 0 || (is_known && watched_write_[index] == client.wants_write())) return;
  epoll_event event{};
  event.events = EPOLLIN | (client.wants_write() ? EPOLLOUT : 0U);
  event.data.u32 = index;
  ::epoll_ctl(epoll_, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, client.descriptor(), &event);
  watched_[index] = client.descriptor();
  watched_write_[index] = client.wants_write();
}

void SipLoad::wait(milliseconds at_most) {
  std::array<epoll_event, 256> events;
  const int count =
      ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(at_most.count()));
  now_ = read_clocks().mono;
  for (int i = 0; i < count; ++i) serve(events[static_cast<std::size_t>(i)].data.u32);
}

void SipLoad::serve(std::uint32_t index) {
  const Outcome outcome = clients_[index].on_ready(now_);
  on_outcome(index, outcome);
  watch(index);
}

void SipLoad::on_outcome(std::uint32_t index, Outcome outcome) {
  SipLoadClient& client = clients_[index];
  if (outcome == Outcome::waiting) return;
  if (outcome == Outcome::opened) return client.begin(now_);
  if (outcome == Outcome::failed) {
    ++report_.failures[client.failure()];
    ++failed_;
    watched_[index] = -1;
    if (!is_running_) --opening_;
    if (is_running_ && failed_ <= failures_max) reconnect(index);
    return;
  }
  if (!is_running_) {
    ++registered_once_;
    --opening_;
    return;
  }
  if (is_measuring_) {
    ++report_.registrations;
    report_.with_credentials += client.had_credentials() ? 1 : 0;
    latency_.record(static_cast<std::uint64_t>((read_clocks().mono - client.began()).count()));
  }
  if (settings_.mode == SipLoadMode::fresh) {
    client.close();
    return reconnect(index);
  }
  if (settings_.mode != SipLoadMode::idle) client.begin(now_);
}

std::expected<void, std::string> SipLoad::measure() {
  is_running_ = true;
  for (std::uint32_t i = 0; i < clients_.size() && settings_.mode != SipLoadMode::idle; ++i) {
    if (settings_.mode == SipLoadMode::fresh) {
      clients_[i].close();
      reconnect(i);
    } else {
      clients_[i].begin(now_);
      watch(i);
    }
  }
  const auto run_until = [&](Instant end) {
    while (now_ < end && failed_ <= failures_max)
      wait(milliseconds{std::min<long>(100, 1 + (end - now_) / milliseconds{1})});
  };
  run_until(now_ + settings_.warm_up);
  const auto began = usage();
  if (!began) return std::unexpected(began.error());
  const auto own_began = measure_own_cpu();
  const Instant start = now_ = read_clocks().mono;
  is_measuring_ = true;
  run_until(start + settings_.duration);
  is_measuring_ = false;
  const auto ended = usage();
  if (!ended) return std::unexpected(ended.error());
  finish(*began, *ended, measure_own_cpu() - own_began, read_clocks().mono - start);
  return {};
}

std::expected<Usage, std::string> SipLoad::usage() const {
  Usage sum;
  for (const pid_t pid : settings_.server_pids) {
    const auto process = measure_process(pid);
    if (!process) return std::unexpected(process.error());
    sum.cpu += process->cpu;
    sum.bytes += process->resident_bytes;
  }
  return sum;
}

void SipLoad::finish(const Usage& began, const Usage& ended, std::chrono::nanoseconds own, Duration took) {
  report_.seconds = to_seconds(took);
  report_.per_second = static_cast<double>(report_.registrations) / report_.seconds;
  report_.generator_busy = to_seconds(own) / report_.seconds;
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
  report_.latency = {.samples = latency_.samples(),
                     .mean_us = latency_.mean() / 1000,
                     .p50_us = us(latency_.percentile(0.5)),
                     .p90_us = us(latency_.percentile(0.9)),
                     .p99_us = us(latency_.percentile(0.99)),
                     .p999_us = us(latency_.percentile(0.999)),
                     .max_us = us(latency_.max())};
  report_.latency_buckets = latency_.buckets();
  report_.connected = static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(), [](const auto& client) { return client.is_open(); }));
  if (settings_.server_pids.empty()) return;
  report_.server_cpu_seconds = to_seconds(ended.cpu - began.cpu);
  if (*report_.server_cpu_seconds > 0)
    report_.per_server_cpu_second = static_cast<double>(report_.registrations) / *report_.server_cpu_seconds;
  report_.bytes_after = ended.bytes;
}

std::expected<void, std::string> pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof set, &set) == 0) return {};
  return std::unexpected("cannot run on CPU " + std::to_string(cpu));
}

double rounded(double value) { return std::round(value * 1000) / 1000; }

}  // namespace

std::string_view to_string(SipLoadMode mode) {
  switch (mode) {
    case SipLoadMode::refresh:
      return "refresh";
    case SipLoadMode::reuse:
      return "reuse";
    case SipLoadMode::fresh:
      return "fresh";
    case SipLoadMode::idle:
      return "idle";
  }
  return "";
}

std::optional<SipLoadMode> parse_sip_load_mode(std::string_view text) {
  for (const SipLoadMode mode :
       {SipLoadMode::refresh, SipLoadMode::reuse, SipLoadMode::fresh, SipLoadMode::idle})
    if (to_string(mode) == text) return mode;
  return std::nullopt;
}

std::expected<SipLoadReport, std::string> run_sip_load(const SipLoadSettings& settings) {
  (void)std::signal(SIGPIPE, SIG_IGN);  // of OpenSSL, which writes to what a server has closed
  if (settings.cpu)
    if (auto pinned = pin(*settings.cpu); !pinned) return std::unexpected(pinned.error());
  return SipLoad{settings}.run();
}

std::string format_json(const SipLoadReport& report) {
  nlohmann::ordered_json json{{"mode", to_string(report.settings.mode)},
                              {"connections", report.settings.connections},
                              {"tls", report.settings.is_secure},
                              {"registrations", report.registrations},
                              {"with_credentials", report.with_credentials},
                              {"seconds", rounded(report.seconds)},
                              {"per_second", rounded(report.per_second)},
                              {"latency_us",
                               {{"mean", rounded(report.latency.mean_us)},
                                {"p50", rounded(report.latency.p50_us)},
                                {"p90", rounded(report.latency.p90_us)},
                                {"p99", rounded(report.latency.p99_us)},
                                {"max", rounded(report.latency.max_us)}}},
                              {"connected", report.connected},
                              {"failures", report.failures},
                              {"generator_busy", rounded(report.generator_busy)}};
  if (report.server_cpu_seconds) json["server_cpu_seconds"] = rounded(*report.server_cpu_seconds);
  if (report.per_server_cpu_second) json["per_server_cpu_second"] = rounded(*report.per_server_cpu_second);
  if (report.bytes_before) json["server_bytes_before"] = *report.bytes_before;
  if (report.bytes_after) json["server_bytes_after"] = *report.bytes_after;
  if (report.bytes_per_connection)
    json["server_bytes_per_connection"] = rounded(*report.bytes_per_connection);
  if (report.settings.tells_histogram) {
    auto& counts = json["latency_counts"] = nlohmann::ordered_json::array();
    for (const auto& [highest, samples] : report.latency_buckets)
      counts.push_back({rounded(static_cast<double>(highest) / 1000), samples});
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace turnpike::client
