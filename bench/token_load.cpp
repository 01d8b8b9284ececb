// Load for a token endpoint: requests that fall due at an even rate, whether or not those before have been
// answered, over kept TLS connections. A latency counts from the moment at which its request was due.
//
//     token_load URL CA_FILE RATE SECONDS CONNECTIONS SERVER_PID < callers      one line of JSON
//
// Each line of the input is a caller: its form, or, behind a space, its first refresh token too; then each
// answer brings the next one, and the caller's next request waits for it.
#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/load_histogram.hpp"
#include "client/load_process.hpp"
#include "service/http_client.hpp"

namespace turnpike {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds warm_up{1};
constexpr std::chrono::seconds patience{10};

struct Caller {
  std::string form;
  std::string refresh_token{};  // empty: there is none
};

struct Plan {
  std::string url;
  service::HttpClientSettings http{};
  double per_second = 0;
  std::chrono::seconds duration{};
  pid_t server = 0;
};

class TokenLoad {
 public:
  TokenLoad(const Plan& plan, std::unique_ptr<service::HttpClient> http, boost::asio::io_context& loop,
            std::vector<Caller> callers)
      : plan_(plan), http_(std::move(http)), loop_(loop), timer_(loop), callers_(std::move(callers)) {
    for (std::size_t caller = 0; caller < callers_.size(); ++caller) idle_.push_back(caller);
  }

  Json run() {
    due_ = Clock::now();
    begin_ = due_ + warm_up;
    end_ = begin_ + plan_.duration;
    schedule();
    loop_.run();
    const auto us = [&](double share) { return static_cast<double>(latency_.percentile(share)) / 1000; };
    Json report{
        {"requests", latency_.samples()},
        {"per_second", static_cast<double>(latency_.samples()) / static_cast<double>(plan_.duration.count())},
        {"p50_us", us(0.5)},
        {"p99_us", us(0.99)},
        {"max_us", static_cast<double>(latency_.max()) / 1000},
        {"server_cpu_us", cpu_us(server_before_, server_after_)},
        {"generator_busy",
         to_seconds(own_after_ - own_before_) / static_cast<double>(plan_.duration.count())},
        {"failures", failures_}};
    return report;
  }

 private:
  static double to_seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
  }
  [[nodiscard]] double cpu_us(std::chrono::nanoseconds before, std::chrono::nanoseconds after) const {
    return 1e6 * to_seconds(after - before) /
           static_cast<double>(std::max<std::uint64_t>(latency_.samples(), 1));
  }

  void schedule() {
    timer_.expires_at(due_);
    timer_.async_wait([this](const boost::system::error_code&) { on_due(); });
  }
  void on_due() {
    const auto now = Clock::now();
    for (; due_ <= now && due_ < end_; due_ += period()) {
      if (due_ >= begin_ && own_before_ == own_before_.zero()) measure(server_before_, own_before_);
      waiting_.push_back(due_);
    }
    send_all();
    if (due_ < end_) return schedule();
    measure(server_after_, own_after_);
    stop_when_done();
  }
  // Kept connections would go on waiting for more.
  void stop_when_done() {
    if (due_ >= end_ && in_flight_ == 0) loop_.stop();
  }
  [[nodiscard]] Clock::duration period() const {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{1 / plan_.per_second});
  }
  void measure(std::chrono::nanoseconds& server, std::chrono::nanoseconds& own) const {
    if (const auto usage = client::measure_process(plan_.server)) server = usage->cpu;
    own = client::measure_own_cpu();
  }

  void send_all() {
    while (!waiting_.empty() && !idle_.empty()) {
      send(idle_.front(), waiting_.front());
      idle_.pop_front();
      waiting_.pop_front();
    }
  }
  void send(std::size_t number, Clock::time_point due) {
    const Caller& caller = callers_[number];
    std::string body = caller.form;
    ++in_flight_;
    if (!caller.refresh_token.empty()) body += "&refresh_token=" + caller.refresh_token;
    http_->send({.method = "POST",
                 .url = plan_.url,
                 .fields = {{"Content-Type", "application/x-www-form-urlencoded"}},
                 .body = std::move(body)},
                [this, number, due](const service::HttpAnswer& answer) { on_answer(number, due, answer); });
  }
  void on_answer(std::size_t number, Clock::time_point due, const service::HttpAnswer& answer) {
    --in_flight_;
    if (answer && answer->status == 200) {
      if (due >= begin_) latency_.record(static_cast<std::uint64_t>((Clock::now() - due).count()));
      if (Caller& caller = callers_[number]; !caller.refresh_token.empty())
        caller.refresh_token = Json::parse(answer->body).at("refresh_token").get<std::string>();
      idle_.push_back(number);
      send_all();
    } else {  // a caller that was refused says no more
      ++failures_[answer ? fmt::format("{} {}", answer->status, answer->body) : answer.error()];
    }
    stop_when_done();
  }

  const Plan& plan_;
  std::unique_ptr<service::HttpClient> http_;
  boost::asio::io_context& loop_;
  boost::asio::steady_timer timer_;
  std::vector<Caller> callers_;
  std::deque<std::size_t> idle_{};  // callers
  std::deque<Clock::time_point> waiting_{};
  Clock::time_point due_{}, begin_{}, end_{};
  client::LoadHistogram latency_{};
  std::map<std::string, std::uint64_t> failures_{};
  std::size_t in_flight_ = 0;
  std::chrono::nanoseconds server_before_{}, server_after_{}, own_before_{}, own_after_{};
};

std::optional<long> parse(std::string_view text) {
  long value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

std::vector<Caller> read_callers() {
  std::vector<Caller> callers;
  for (std::string line; std::getline(std::cin, line);) {
    const auto space = line.find(' ');
    Caller caller{.form = line.substr(0, space)};
    if (space != std::string::npos) caller.refresh_token = line.substr(space + 1);
    callers.push_back(std::move(caller));
  }
  return callers;
}

int refuse(std::string_view why) {
  fmt::print(stderr, "token_load: {}\n", why);
  return 2;
}

int run(const std::vector<std::string>& words) {
  constexpr std::string_view usage = "token_load URL CA_FILE RATE SECONDS CONNECTIONS SERVER_PID < callers";
  if (words.size() != 6) return refuse(usage);
  const auto rate = parse(words[2]), seconds = parse(words[3]), connections = parse(words[4]),
             server = parse(words[5]);
  if (!rate || !seconds || !connections || !server)
    return refuse("four numbers from 1 on: " + std::string{usage});
  std::vector<Caller> callers = read_callers();
  if (callers.empty()) return refuse("there is no caller in the input");
  const Plan plan{.url = words[0],
                  .http = {.ca_file = words[1],
                           .deadline = patience,
                           .connections_max = static_cast<std::size_t>(*connections),
                           .waiting_max = callers.size()},
                  .per_second = static_cast<double>(*rate),
                  .duration = std::chrono::seconds{*seconds},
                  .server = static_cast<pid_t>(*server)};
  boost::asio::io_context loop;
  auto http = service::HttpClient::make(loop, plan.http);
  if (!http) return refuse(http.error());
  TokenLoad load{plan, *std::move(http), loop, std::move(callers)};
  fmt::print("{}\n", load.run().dump());
  return 0;
}

}  // namespace
}  // namespace turnpike

int main(int count, char** words) { return turnpike::run({words + 1, words + count}); }
