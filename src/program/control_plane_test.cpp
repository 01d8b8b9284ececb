// Relay, eP-CSCF and home core in this process, with real sockets on the loopback interface and a WIC.
#include "program/control_plane.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/check.hpp"
#include "base/random.hpp"
#include "program/key_certificate.hpp"
#include "program/serving.hpp"
#include "program/subscriber_rows.hpp"
#include "program/test_folder.hpp"
#include "program/wic_command.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* password = "wonderland-and-back";

bool can_bind(int type, std::uint16_t port) {
  const int socket = ::socket(AF_INET, type, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int result = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::close(socket);
  return result == 0;
}

// Free for UDP and TCP, and below the ports that the kernel gives out, so that nobody else happens to take
// it.
std::uint16_t find_free_port() {
  SystemRandom random;
  for (;;) {
    const auto port = static_cast<std::uint16_t>(10000 + random.below(9000));
    if (can_bind(SOCK_DGRAM, port) && can_bind(SOCK_STREAM, port)) return port;
  }
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The whole chain with its files, once it is started.
class Chain {
 public:
  Chain() {
    const KeyCertificateOptions files{.certificate = folder_ / "door.pem", .key = folder_ / "door.key"};
    EXPECT_EQ(make_key_certificate(files, read_clocks().wall).exit_status, exit_ok);
    auto book = store::SubscriberBook::open(folder_ / "subscribers.db");
    EXPECT_TRUE(book.has_value());
    for (const char* impi : {"alice@ims.example", "bob@ims.example"})
      EXPECT_TRUE(book->add(*make_subscriber({.impi = impi, .password = password})).has_value());
    write();
  }

  // Lines that follow those of [epcscf] and [ims]; the last section is [epcscf.credentials].
  void write(const std::string& epcscf = "", const std::string& ims = "",
             const std::string& credentials = "sources = [\"computed\"]\n") {
    const auto at = [](std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); };
    folder_.write(
        "t.toml",
        "[turn]\nlisten = [\"udp:" + at(turn_port_) +
            "\"]\nrealm = \"ims.example\"\nrelay_ports = [20000, 32000]\nshards = 1\n"
            "[turn.peers]\nallow = [\"127.0.0.0/8\"]\n"
            "[credentials.computed]\nsecrets = [{ id = \"k1\", secret = \"a-secret-of-some-length\" }]\n"
            "[credentials.pushed]\n[admin]\nsocket = \"admin.sock\"\n[log]\nlevel = \"trace\"\n"
            "[ims]\ndatabase = \"subscribers.db\"\nlisten = [\"udp:" +
            at(core_port_) + "\"]\n" + ims + "[epcscf]\nlisten = [\"wss:" + at(door_port_) +
            "\"]\ncertificate = \"door.pem\"\nkey = \"door.key\"\ncore_listen = [\"udp:" +
            at(core_side_port_) + "\"]\n" + epcscf + "[epcscf.credentials]\n" + credentials);
  }

  Serving& start() {
    LoadedConfig loaded = load_config(folder_ / "t.toml");
    EXPECT_EQ(loaded.problems, std::vector<std::string>{});
    auto started = Serving::start(std::move(loaded.config), log_);
    check(started.has_value(), started ? "" : started.error().c_str());
    serving_ = std::move(*started);
    return *serving_;
  }

  Json ask(const Json& request) {
    return Json::parse(serving_->desk().answer(request.dump(), read_clocks().wall));
  }
  [[nodiscard]] client::WicSettings wic_settings(const std::string& impi, client::WicTask task) const {
    WicOptions options;
    options.server = "wss://127.0.0.1:" + std::to_string(door_port_);
    options.user = impi;
    options.password = password;
    options.insecure = true;
    options.hold_seconds = task == client::WicTask::echo ? 0 : 60;
    return *make_wic_settings(options, task);
  }
  client::WicReport register_briefly(const std::string& impi) {
    auto settings = wic_settings(impi, client::WicTask::registration);
    settings.hold = std::chrono::seconds{0};
    return client::run_wic(settings);
  }
  [[nodiscard]] std::string log() const {
    const std::scoped_lock lock{mutex_};
    return text_;
  }
  TestFolder& folder() { return folder_; }
  [[nodiscard]] std::uint16_t door_port() const { return door_port_; }

 private:
  TestFolder folder_;
  std::uint16_t turn_port_ = find_free_port(), core_port_ = find_free_port(),
                core_side_port_ = find_free_port(), door_port_ = find_free_port();
  mutable std::mutex mutex_;
  std::string text_;
  Log log_{LogLevel::trace, LogFormat::text, [this](std::string_view line) {
             const std::scoped_lock lock{mutex_};
             text_ += std::string{line} + '\n';
           }};
  std::unique_ptr<Serving> serving_;
};

// A WIC in a thread of its own, which leaves when it is told to, or at the end of the test.
class RunningWic {
 public:
  // Returns once the WIC has told `milestone`, or has ended.
  RunningWic(client::WicSettings settings, const std::string& milestone) : leave_(::eventfd(0, EFD_CLOEXEC)) {
    settings.interrupt = leave_;
    std::promise<void> reached;
    auto is_reached = reached.get_future();
    thread_ = std::thread{[this, settings = std::move(settings), milestone, &reached] {
      bool is_told = false;
      const auto tell = [&] {
        if (!is_told) reached.set_value();
        is_told = true;
      };
      report_ = client::run_wic(settings, [&](const client::ProbeEvent& event) {
        if (event.message == milestone) tell();
      });
      tell();
    }};
    is_reached.wait();
  }
  RunningWic(const RunningWic&) = delete;
  RunningWic& operator=(const RunningWic&) = delete;
  ~RunningWic() {
    if (thread_.joinable()) (void)leave();
    ::close(leave_);
  }
  client::WicReport leave() {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(leave_, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    return join();
  }
  client::WicReport join() {
    thread_.join();
    return report_;
  }

 private:
  int leave_;
  client::WicReport report_{};
  std::thread thread_{};
};

TEST(ControlPlane, TellsAnAdministratorWhoIsRegisteredAndEndsIt) {
  Chain chain;
  chain.start();
  EXPECT_EQ(chain.ask({{"command", "registrations"}})["active"], 0);
  RunningWic alice{chain.wic_settings("alice@ims.example", client::WicTask::registration), "TURN credential"};
  RunningWic bob{chain.wic_settings("bob@ims.example", client::WicTask::registration), "TURN credential"};

  const Json answer = chain.ask({{"command", "registrations"}});
  EXPECT_EQ(answer["active"], 2);
  ASSERT_EQ(answer["registrations"].size(), 2U);
  std::set<std::string> impis;
  for (const Json& entry : answer["registrations"]) {
    impis.insert(entry["impi"].get<std::string>());
    EXPECT_EQ(entry["is_connected"], true);
    EXPECT_EQ(entry["has_credentials"], true);
    EXPECT_TRUE(
        contains(chain.log(), "event=registered flow=" + entry["flow"].dump() + " client=127.0.0.1:"));
    EXPECT_TRUE(contains(chain.log(), " subject=" + entry["subject"].get<std::string>() + " expires_in"));
  }
  EXPECT_EQ(impis, (std::set<std::string>{"alice@ims.example", "bob@ims.example"}));
  const Json one = chain.ask({{"command", "registrations"}, {"max", 1}});
  EXPECT_EQ(one["active"], 2);
  EXPECT_EQ(one["registrations"].size(), 1U);

  EXPECT_EQ(chain.ask({{"command", "deregister"}, {"impi", "alice@ims.example"}})["registrations_ended"], 1);
  const client::WicReport ended = alice.join();
  EXPECT_EQ(ended.exit_status, 1);
  EXPECT_TRUE(
      contains(ended.verdict, "is gone: the server has closed the connection, code 1000: operator_asked"))
      << ended.verdict;
  EXPECT_TRUE(contains(chain.log(), "trigger=operator_asked"));
  const Json left = chain.ask({{"command", "registrations"}});
  ASSERT_EQ(left["registrations"].size(), 1U);
  EXPECT_EQ(left["registrations"][0]["impi"], "bob@ims.example");
  EXPECT_EQ(chain.ask({{"command", "deregister"}, {"impi", "alice@ims.example"}})["error"],
            "alice@ims.example is not registered");
  EXPECT_EQ(chain.ask({{"command", "deregister"}})["error"], "deregister needs impi");
  EXPECT_EQ(bob.leave().exit_status, 0);
  EXPECT_EQ(chain.ask({{"command", "registrations"}})["active"], 0);
}

TEST(ControlPlane, CountsUnderTheseNames) {
  Chain chain;
  chain.start();
  EXPECT_EQ(chain.register_briefly("alice@ims.example").exit_status, 0);
  const std::string text = chain.ask({{"command", "metrics"}})["text"];
  std::set<std::string> names;
  for (std::size_t at = text.find("# TYPE "); at != std::string::npos; at = text.find("# TYPE ", at + 1)) {
    const std::string name = text.substr(at + 7, text.find('\n', at) - at - 7);
    if (contains(name, "epcscf") || contains(name, "home_core")) names.insert(name);
  }
  EXPECT_EQ(names, (std::set<std::string>{
                       "turnpike_epcscf_bad_messages_total counter",
                       "turnpike_epcscf_calls_abandoned_total counter",
                       "turnpike_epcscf_calls_active gauge",
                       "turnpike_epcscf_calls_total counter",
                       "turnpike_epcscf_challenges_total counter",
                       "turnpike_epcscf_connections_active gauge",
                       "turnpike_epcscf_connections_refused_total counter",
                       "turnpike_epcscf_core_connections_active gauge",
                       "turnpike_epcscf_core_failures_total counter",
                       "turnpike_epcscf_flows_active gauge",
                       "turnpike_epcscf_flows_ended_total counter",
                       "turnpike_epcscf_flows_total counter",
                       "turnpike_epcscf_keep_alives_total counter",
                       "turnpike_epcscf_messages_total counter",
                       "turnpike_epcscf_not_provisioned_total counter",
                       "turnpike_epcscf_provisioned_by_fallback_total counter",
                       "turnpike_epcscf_provisioned_total counter",
                       "turnpike_epcscf_registrations_active gauge",
                       "turnpike_epcscf_registrations_ended_total counter",
                       "turnpike_epcscf_registrations_refreshed_total counter",
                       "turnpike_epcscf_registrations_refused_total counter",
                       "turnpike_epcscf_registrations_total counter",
                       "turnpike_epcscf_revocations_unconfirmed_total counter",
                       "turnpike_epcscf_subscriptions_active gauge",
                       "turnpike_epcscf_transactions_active gauge",
                       "turnpike_home_core_forwarded_total counter",
                       "turnpike_home_core_not_routed_total counter",
                       "turnpike_home_core_registers_total counter",
                   }));
  for (const char* line : {"turnpike_epcscf_flows_total 1\n", "turnpike_epcscf_registrations_total 1\n",
                           "turnpike_epcscf_provisioned_total 1\n", "turnpike_epcscf_challenges_total 1\n",
                           "turnpike_epcscf_registrations_ended_total{trigger=\"deregistered\"} 1\n",
                           "turnpike_epcscf_registrations_active 0\n",
                           "turnpike_home_core_registers_total{outcome=\"registered\"} 1\n",
                           "turnpike_home_core_registers_total{outcome=\"deregistered\"} 1\n"})
    EXPECT_TRUE(contains(text, line)) << line << text;
}

TEST(ControlPlane, TakesInOtherSourcesAtAReload) {
  Chain chain;
  chain.start();
  RunningWic alice{chain.wic_settings("alice@ims.example", client::WicTask::echo), "waiting for calls"};
  chain.write("", "", "sources = [\"pushed\"]\n");
  const Json answer = chain.ask({{"command", "reload"}});
  EXPECT_EQ(answer["ok"], true);
  EXPECT_EQ(answer["needs_restart"], Json::array());
  EXPECT_EQ(chain.register_briefly("bob@ims.example").exit_status, 0);
  EXPECT_TRUE(contains(chain.log(), " source=pushed is_fallback=false"));
  EXPECT_EQ(chain.ask({{"command", "registrations"}})["active"], 1);
  EXPECT_EQ(chain.ask({{"command", "sessions"}})["active"], 1);
  EXPECT_EQ(alice.leave().exit_status, 0);
}

TEST(ControlPlane, SaysAtAReloadWhatNeedsARestart) {
  Chain chain;
  chain.start();
  chain.write("flow_grace_seconds = 7\n[epcscf.limits]\ncalls_total = 3000\n",
              "expires_max_seconds = 7100\n");
  EXPECT_EQ(chain.ask({{"command", "reload"}})["needs_restart"],
            (Json{"epcscf.flow_grace_seconds", "epcscf.limits.calls_total", "ims.expires_max_seconds"}));
  EXPECT_TRUE(contains(chain.log(), "event=reload_needs_restart setting=ims.expires_max_seconds"));
}

TEST(ControlPlane, KeepsItsCertificateWhereAReloadFindsNoGoodOne) {
  Chain chain;
  chain.start();
  chain.folder().write("door.pem", "no certificate\n");
  const Json answer = chain.ask({{"command", "reload"}});
  EXPECT_EQ(answer["ok"], true);
  ASSERT_EQ(answer["warnings"].size(), 1U) << answer;
  EXPECT_TRUE(contains(answer["warnings"][0].get<std::string>(), "door.pem")) << answer;
  EXPECT_EQ(chain.register_briefly("alice@ims.example").exit_status, 0);
}

TEST(ControlPlane, LetsNobodyNewInWhileItDrains) {
  Chain chain;
  Serving& serving = chain.start();
  RunningWic alice{chain.wic_settings("alice@ims.example", client::WicTask::echo), "waiting for calls"};
  std::thread thread{[&] { serving.run(-1); }};  // poll passes over a descriptor below zero
  const std::string socket = chain.folder() / "admin.sock";
  EXPECT_TRUE(contains(*ask_admin_socket(socket, R"({"command":"drain"})"), "\"allocations_active\":1"));
  const client::WicReport late = chain.register_briefly("bob@ims.example");
  EXPECT_EQ(late.exit_status, 1);
  EXPECT_FALSE(late.is_registered);
  EXPECT_TRUE(contains(*ask_admin_socket(socket, R"({"command":"registrations"})"), "alice@ims.example"));
  EXPECT_EQ(alice.leave().exit_status, 0);
  thread.join();
  EXPECT_TRUE(contains(chain.log(), "event=drained"));
}

TEST(ControlPlane, StartsWholeOrNotAtAll) {
  Chain first;
  first.start();
  const std::string door = "127.0.0.1:" + std::to_string(first.door_port());
  const std::string other_socket = first.folder() / "other.sock";
  LoadedConfig loaded = load_config(first.folder() / "t.toml");
  loaded.config.admin_socket = other_socket;
  loaded.config.turn->listeners.front().port = 0;
  loaded.config.ims->listeners.front().address.port = 0;
  loaded.config.epcscf->core_listeners.front().address.port = 0;
  Log log{LogLevel::info, LogFormat::text, [](std::string_view) {}};
  const auto second = Serving::start(std::move(loaded.config), log);
  ASSERT_FALSE(second.has_value());
  EXPECT_TRUE(contains(second.error(), door)) << second.error();
  EXPECT_EQ(second.error().find('\n'), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(other_socket));
  EXPECT_EQ(first.register_briefly("alice@ims.example").exit_status, 0);
}

TEST(ControlPlane, IsMissedByNameWhereItIsNot) {
  TestFolder folder;
  LoadedConfig loaded =
      load_config(folder.write("t.toml",
                               "[turn]\nlisten = [\"udp:127.0.0.1:9\"]\nrealm = \"ims.example\"\nshards = 1\n"
                               "[credentials.static]\nusers = { alice = \"wonderland\" }\n"));
  loaded.config.turn->listeners.front().port = 0;
  Log log{LogLevel::info, LogFormat::text, [](std::string_view) {}};
  const auto serving = Serving::start(std::move(loaded.config), log);
  ASSERT_TRUE(serving.has_value());
  for (const char* request : {R"({"command":"registrations"})", R"({"command":"deregister","impi":"a@b"})"})
    EXPECT_EQ(Json::parse((*serving)->desk().answer(request, read_clocks().wall))["error"],
              "this server has no [epcscf]");
}

}  // namespace
}  // namespace turnpike::program
