// A whole server in this process, with real sockets on the loopback interface.
#include "program/serving.hpp"

#include <gtest/gtest.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/crypto.hpp"
#include "client/probe.hpp"
#include "program/issue.hpp"
#include "program/test_folder.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view token_key = "SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=";
constexpr std::string_view computed_secret = "a-computed-secret-of-some-length";
constexpr std::string_view alice_password = "wonderland-and-back";

std::string config_text(std::string_view password = alice_password, std::string_view more = "") {
  return "[turn]\nlisten = [\"udp:127.0.0.1:9\"]\nrealm = \"ims.example\"\nserver_name = "
         "\"turn.ims.example\"\n"
         "relay_ports = [30000, 60000]\nshards = 1\n"
         "[turn.peers]\nallow = [\"127.0.0.0/8\"]\n"
         "[credentials.static]\nusers = { alice = \"" +
         std::string{password} + "\" }\n[credentials.computed]\nsecrets = [{ id = \"k1\", secret = \"" +
         std::string{computed_secret} +
         "\" }]\n[credentials.pushed]\n[credentials.token]\nkeys = [{ kid = \"t1\", key = \"" +
         std::string{token_key} + "\" }]\n[admin]\nsocket = \"admin.sock\"\n[log]\nlevel = \"trace\"\n" +
         std::string{more};
}

class LogLines {
 public:
  Log::Sink sink() {
    return [this](std::string_view line) {
      const std::scoped_lock lock{mutex_};
      text_ += std::string{line} + '\n';
    };
  }
  [[nodiscard]] std::string text() const {
    const std::scoped_lock lock{mutex_};
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

class Running {
 public:
  explicit Running(const std::string& text = config_text()) : file_(folder_.write("t.toml", text)) {
    auto started = start();
    EXPECT_TRUE(started.has_value()) << (started ? "" : started.error());
    if (started) serving_ = std::move(*started);
  }

  std::expected<std::unique_ptr<Serving>, std::string> start() {
    LoadedConfig loaded = load_config(file_);
    EXPECT_EQ(loaded.problems, std::vector<std::string>{});
    loaded.config.turn->listeners[0].port = 0;  // the kernel chooses
    return Serving::start(std::move(loaded.config), log_);
  }
  Serving& serving() { return *serving_; }
  TestFolder& folder() { return folder_; }
  [[nodiscard]] Config config() const { return load_config(file_).config; }
  [[nodiscard]] std::string log() const { return lines_.text(); }

  Json ask(const Json& request) {
    return Json::parse(serving_->desk().answer(request.dump(), read_clocks().wall));
  }
  client::ProbeReport probe(const turn::ClientCredential& credential) {
    client::ProbeSettings settings;
    settings.uri = "turn:" + serving_->server().listeners().front().to_string();
    settings.credential = credential;
    settings.count = 2;
    settings.interval = std::chrono::milliseconds{1};
    return client::probe(settings);
  }
  bool relays(const std::string& username, std::string_view password) {
    return probe(turn::PasswordCredential{username, Secret::from_text(password)}).exit_status == 0;
  }

 private:
  TestFolder folder_;
  std::string file_;
  LogLines lines_;
  Log log_{LogLevel::trace, LogFormat::text, lines_.sink()};
  std::unique_ptr<Serving> serving_;
};

// Tells run() what the kernel would: as much of a signalfd as it reads.
class FakeSignals {
 public:
  FakeSignals() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  FakeSignals(const FakeSignals&) = delete;
  FakeSignals& operator=(const FakeSignals&) = delete;
  ~FakeSignals() {
    for (const int end : ends_) ::close(end);
  }
  [[nodiscard]] int descriptor() const { return ends_[0]; }
  void raise(int signal) const {
    signalfd_siginfo info{};
    info.ssi_signo = static_cast<std::uint32_t>(signal);
    EXPECT_EQ(::write(ends_[1], &info, sizeof info), static_cast<ssize_t>(sizeof info));
  }

 private:
  std::array<int, 2> ends_{};
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct Shown {
  std::string username, password;
};
Shown shown_in(const Issued& issued) {
  const Json json = Json::parse(issued.json);
  return {json["iceServers"][0]["username"], json["iceServers"][0]["credential"]};
}
Issued issue_now(const Config& config, credentials::Source source) {
  SystemRandom random;
  auto issued = issue(config, {.source = source, .user = "bob"}, read_clocks().wall, random);
  EXPECT_TRUE(issued.has_value());
  return std::move(*issued);
}
Json push_request(const ToPush& credential) {
  return {{"command", "push"},
          {"username", credential.username},
          {"password", std::string{credential.password.reveal_text()}},
          {"subject", credential.subject},
          {"ttl", 600}};
}

TEST(Serving, RelaysForEverySourceAndLogsNoSecret) {
  Running running;
  const Config config = running.config();
  std::vector<std::string> secrets{std::string{alice_password}, std::string{computed_secret},
                                   std::string{token_key}, "HGkj32KJGiuy098sdfaqbNjOiaz71923",
                                   "a wrong password"};

  EXPECT_TRUE(running.relays("alice", alice_password));
  EXPECT_FALSE(running.relays("alice", "a wrong password"));
  for (const auto source :
       {credentials::Source::computed, credentials::Source::pushed, credentials::Source::token}) {
    const Issued issued = issue_now(config, source);
    const Shown shown = shown_in(issued);
    if (issued.push) {
      EXPECT_EQ(running.ask(push_request(*issued.push))["ok"], true);
    }
    EXPECT_TRUE(running.relays(shown.username, shown.password)) << credentials::to_string(source);
    secrets.push_back(shown.password);
    if (source == credentials::Source::token) secrets.push_back(shown.username);
  }
  running.serving().server().stop();

  const std::string log = running.log();
  for (const std::string_view line :
       {"event=listening address=udp:127.0.0.1:",
        "event=allocation_created subject=alice source=static client=127.0.0.1:",
        "event=allocation_ended reason=refreshed_to_zero subject=alice", "event=challenged",
        "event=refused client=127.0.0.1:", "method=allocate code=401 reason=wrong_key", "source=computed",
        "source=pushed", "source=token"})
    EXPECT_TRUE(contains(log, line)) << line << " in:\n" << log;
  std::string everything = log;
  for (const char* command : {"stats", "metrics", "sessions", "list"})
    everything += running.ask({{"command", command}}).dump();
  everything += format_config(config);
  for (const std::string& secret : secrets) EXPECT_FALSE(contains(everything, secret)) << secret;
}

TEST(Serving, CountsUnderTheseNames) {
  Running running;
  EXPECT_TRUE(running.relays("alice", alice_password));
  const std::string text = running.ask({{"command", "metrics"}})["text"];
  std::set<std::string> names;
  for (std::size_t at = text.find("# TYPE "); at != std::string::npos; at = text.find("# TYPE ", at + 1))
    names.insert(text.substr(at + 7, text.find('\n', at) - at - 7));
  EXPECT_EQ(names, (std::set<std::string>{
                       "turnpike_allocations_active gauge",
                       "turnpike_allocations_created_total counter",
                       "turnpike_allocations_ended_total counter",
                       "turnpike_build_info gauge",
                       "turnpike_challenges_suppressed_total counter",
                       "turnpike_challenges_total counter",
                       "turnpike_channels_active gauge",
                       "turnpike_credentials_refused_total counter",
                       "turnpike_dropped_packets_total counter",
                       "turnpike_error_answers_total counter",
                       "turnpike_permissions_active gauge",
                       "turnpike_pushed_credentials gauge",
                       "turnpike_relayed_bytes_total counter",
                       "turnpike_relayed_packets_total counter",
                       "turnpike_reloads_total counter",
                       "turnpike_requests_total counter",
                       "turnpike_revocations gauge",
                       "turnpike_shards gauge",
                   }));
  EXPECT_TRUE(contains(text, "turnpike_allocations_created_total{source=\"static\"} 1\n")) << text;
  EXPECT_TRUE(contains(text, "turnpike_allocations_ended_total{reason=\"refreshed_to_zero\"} 1\n"));
  EXPECT_TRUE(contains(text, "turnpike_error_answers_total{code=\"401\"} 1\n"));
}

TEST(Serving, RevokesWhatWasPushed) {
  Running running;
  EXPECT_EQ(running.ask({{"command", "push"}, {"username", "u1"}, {"password", "p1"}, {"ttl", 60}})["ok"],
            true);
  EXPECT_TRUE(running.relays("u1", "p1"));
  EXPECT_EQ(running.ask({{"command", "list"}})["pushed"].size(), 1U);
  EXPECT_EQ(running.ask({{"command", "explain"}, {"username", "u1"}})["valid"], true);
  EXPECT_EQ(running.ask({{"command", "revoke"}, {"by", "username"}, {"value", "u1"}})["ok"], true);
  EXPECT_FALSE(running.relays("u1", "p1"));
  EXPECT_EQ(running.ask({{"command", "explain"}, {"username", "u1"}})["valid"], false);
  EXPECT_TRUE(running.ask({{"command", "list"}})["pushed"].empty());
}

TEST(Serving, RefusesWhatAnIssuerTookBackToItsEnd) {
  Running running;
  const Shown shown = shown_in(issue_now(running.config(), credentials::Source::computed));
  const Json answer = running.ask({{"command", "revoke"}, {"by", "username"}, {"value", shown.username}});
  // A computed name is good to the end of its last second.
  EXPECT_EQ(std::to_string(answer["expires_at"].get<std::int64_t>() - 1),
            shown.username.substr(0, shown.username.find(':')));
  EXPECT_FALSE(running.relays(shown.username, shown.password));
  const Json explained = running.ask({{"command", "explain"}, {"username", shown.username}});
  EXPECT_TRUE(contains(explained["text"].get<std::string>(), "refused, revoked"));
}

// What ran is ended all the same, and the answer does not say that it cannot begin again.
TEST(Serving, SaysThatTheDenyListIsFull) {
  Running running;
  const auto until = read_clocks().wall + std::chrono::hours{1};
  std::vector<credentials::Change> others;
  for (std::size_t i = 0; i < credentials::DenyList::entries_max; ++i)
    others.emplace_back(credentials::Revocation{
        .by = credentials::Revocation::By::subject, .value = std::to_string(i), .until = until});
  running.serving().server().apply(others);
  const auto revoke = [&](const std::string& value) {
    return running.ask({{"command", "revoke"}, {"by", "subject"}, {"value", value}});
  };
  const Json answer = revoke("alice");
  EXPECT_EQ(answer["ok"], false);
  EXPECT_EQ(
      answer["error"],
      "0 allocations ended, and new ones are accepted: the deny-list is full, with 100000 revocations that "
      "have not ended");
  EXPECT_TRUE(running.relays("alice", alice_password));
  EXPECT_EQ(revoke("7")["ok"], true) << "it stands there already";
}

TEST(Serving, RefusesRequestsThatMakeNoSense) {
  Running running;
  const auto error = [&](const Json& request) {
    const Json answer = running.ask(request);
    EXPECT_EQ(answer["ok"], false);
    return answer["error"].get<std::string>();
  };
  EXPECT_EQ(error({{"command", "fly"}}), "there is no command \"fly\"");
  EXPECT_EQ(error(Json::array()), "a request is a JSON object with a command");
  EXPECT_EQ(error({{"command", "push"}, {"username", "u"}}), "push needs username and password");
  EXPECT_EQ(error({{"command", "push"}, {"username", "u"}, {"password", "p"}, {"ttl", -5}}),
            "ttl: found -5, allowed: 1 to 31622400");
  EXPECT_EQ(error({{"command", "push"}, {"username", "u"}, {"password", "p"}, {"allowed_peers", {"x"}}}),
            "allowed_peers: found \"x\", allowed: an address or prefix");
  EXPECT_EQ(error({{"command", "push"}, {"username", std::string(509, 'u')}, {"password", "p"}}),
            "a pushed credential needs a key, a username of 1 to 508 bytes and an end in the future");
  EXPECT_EQ(error({{"command", "extend"}, {"username", "nobody"}}), "there is no such pushed credential");
  EXPECT_EQ(error({{"command", "revoke"}, {"by", "name"}}),
            "by: allowed: username, subject, kid, token_hash");
  EXPECT_EQ(error({{"command", "revoke"}, {"by", "kid"}}), "value: found nothing");
  EXPECT_EQ(error({{"command", "revoke"}, {"by", "token_hash"}, {"value", "abc"}}),
            "value: allowed: the 64 hexadecimal digits of the token's SHA-256");
}

TEST(Reload, TakesInNewPasswords) {
  Running running;
  running.folder().write("t.toml", config_text("a new password"));
  EXPECT_EQ(running.ask({{"command", "reload"}})["ok"], true);
  EXPECT_TRUE(running.relays("alice", "a new password"));
  EXPECT_FALSE(running.relays("alice", alice_password));
}

TEST(Reload, ChangesNothingWhenTheFileHasProblems) {
  Running running;
  running.folder().write("t.toml", config_text("a new password", "[lgo]\n"));
  const Json answer = running.ask({{"command", "reload"}});
  EXPECT_EQ(answer["ok"], false);
  EXPECT_TRUE(contains(answer["error"].get<std::string>(), "lgo: unknown key"));
  EXPECT_TRUE(running.relays("alice", alice_password));
  EXPECT_TRUE(contains(running.log(), "event=reload_refused problem="));
}

TEST(Reload, SaysWhatNeedsARestart) {
  Running running;
  // The test's own server has another port than its file; everything else of [turn] is as in the file.
  running.folder().write(
      "t.toml",
      config_text(alice_password,
                  "[turn.limits]\nallocations_total = 5\n[issue]\nopaque_id_key = \"0123456789abcdef\"\n"));
  EXPECT_EQ(running.ask({{"command", "reload"}})["needs_restart"],
            (Json{"turn.limits.allocations_total", "turn.listen"}));
}

TEST(Reload, SaysThatANewRoleNeedsARestartAsAWhole) {
  const std::string relay =
      "[turn]\nlisten = [\"udp:192.0.2.1:1\"]\nrealm = \"a\"\n[credentials.pushed]\n"
      "[admin]\nsocket = \"s\"\n";
  const Config running = parse_config(relay, "t.toml").config;
  const Config read =
      parse_config("[ims]\ndatabase = \"d\"\nrealm = \"a\"\n[admin]\nsocket = \"t\"\n", "t.toml").config;
  EXPECT_EQ(settings_that_need_restart(running, read),
            (std::vector<std::string>{"turn", "ims", "admin.socket"}));
  EXPECT_EQ(settings_that_need_restart(running, running), std::vector<std::string>{});
}

TEST(Serving, StopsOnASignalAndReloadsOnHangUp) {
  Running running;
  const FakeSignals signals;
  std::thread thread{[&] { running.serving().run(signals.descriptor()); }};
  const std::string socket = running.folder() / "admin.sock";
  struct stat status{};
  EXPECT_EQ(::stat(socket.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_TRUE(contains(*ask_admin_socket(socket, R"({"command":"stats"})"), "\"ok\":true"));
  EXPECT_TRUE(contains(*ask_admin_socket(socket, "no json"), "\"ok\":false"));
  signals.raise(SIGHUP);
  EXPECT_TRUE(contains(*ask_admin_socket(socket, R"({"command":"stats"})"), "\"ok\":true"));
  signals.raise(SIGTERM);
  thread.join();
  EXPECT_TRUE(contains(running.log(), "event=reloaded"));
  EXPECT_TRUE(contains(running.log(), "event=stopping signal=SIGTERM"));
  EXPECT_TRUE(contains(running.log(), "event=stopped"));
}

TEST(Serving, EndsByItselfOnceItIsDrained) {
  Running running;
  const FakeSignals signals;
  std::thread thread{[&] { running.serving().run(signals.descriptor()); }};
  EXPECT_TRUE(
      contains(*ask_admin_socket(running.folder() / "admin.sock", R"({"command":"drain"})"), "\"ok\":true"));
  thread.join();
  EXPECT_TRUE(contains(running.log(), "event=drained"));
}

TEST(Serving, StartsWholeOrNotAtAll) {
  Running first;
  auto second = first.start();
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error(),
            "the admin socket " + (first.folder() / "admin.sock") + ": another server answers on it");

  TestFolder folder;
  LoadedConfig loaded = load_config(folder.write("t.toml", config_text()));
  loaded.config.turn->listeners = first.serving().server().listeners();
  LogLines lines;
  Log log{LogLevel::info, LogFormat::text, lines.sink()};
  const auto occupied = Serving::start(std::move(loaded.config), log);
  ASSERT_FALSE(occupied.has_value());
  EXPECT_TRUE(contains(occupied.error(), first.serving().server().listeners().front().to_string()))
      << occupied.error();
  EXPECT_EQ(occupied.error().find('\n'), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder / "admin.sock"));
}

TEST(AdminSocket, ReplacesWhatADeadServerLeftAndNothingElse) {
  TestFolder folder;
  const std::string path = folder / "admin.sock";
  {
    auto socket = AdminSocket::open(path);
    ASSERT_TRUE(socket.has_value());
    std::filesystem::create_hard_link(path, folder / "kept");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(AdminSocket::open(folder / "kept").has_value());
  folder.write("file", "text");
  const auto refused = AdminSocket::open(folder / "file");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), "the admin socket " + (folder / "file") + ": something else is there");
  EXPECT_EQ(AdminSocket::open(folder / "no/folder").error(),
            "the admin socket " + (folder / "no/folder") + " cannot be opened: No such file or directory");
}

TEST(AdminSocket, SaysThatNobodyAnswers) {
  TestFolder folder;
  const auto answer = ask_admin_socket(folder / "admin.sock", "{}");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().failure, AskFailure::nobody_there);
  EXPECT_EQ(answer.error().words,
            "no server answers on " + (folder / "admin.sock") + ": No such file or directory");
}

}  // namespace
}  // namespace turnpike::program
