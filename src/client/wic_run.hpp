#pragma once
// What `turnpike wic` does: a WIC with its sockets. It connects, registers, shows what it was given, and
// then stays, or echoes the media of whoever calls, or calls another WIC and measures the round trip through
// both relays. It tells each step as it happens, and in words what went wrong and what to do about it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "client/probe.hpp"
#include "client/waf_session.hpp"
#include "client/web_socket.hpp"
#include "client/wic_agent.hpp"

namespace turnpike::client {

enum class WicTask : std::uint8_t { registration, echo, call };

// The registration scenarios of TS 24.371: by the core's own password or card, by a token of the user, by a
// token of an identity that a web site lends from its pool.
enum class Scenario : std::uint8_t { ims = 1, web = 2, pool = 3 };

struct WicSettings {
  Scenario scenario = Scenario::ims;
  WebSocketSettings door{};
  WicAgentSettings agent{};                     // its identity may come with the WAF's token
  std::optional<WafSettings> waf{};             // where it logs in before anything else
  bool registers_with_waf = false;              // agent.login is the token that comes of it
  bool takes_turn_of_waf = false;               // and the TURN token is its, not the eP-CSCF's
  std::optional<credentials::Source> source{};  // of TURN credentials, that was asked for
  bool prefers_tokens = false;                  // those of RFC 7635, where there are others too
  bool reconnects = false;                      // registration and echo: after the connection was lost
  std::chrono::seconds idle{0};                 // call: registered for so long before it calls
  std::function<void(const std::string& url)> on_url{};  // which the user has to open in a browser
  WicTask task = WicTask::registration;
  std::string callee{};                      // call: a SIP or tel URI
  std::chrono::seconds hold{0};              // registration: stay as long; echo: at most, 0: without end
  std::uint64_t calls_max = 0;               // echo: leave after as many; 0: stay
  std::size_t packets = 50;                  // call
  std::chrono::milliseconds interval{20};    // between them
  std::size_t payload_bytes = 160;           // of each
  std::chrono::milliseconds timeout{10000};  // of each step
  int interrupt = -1;                        // a descriptor; once it can be read, the run winds up
};

// A credential that was handed out, without its secret.
struct WicCredential {
  provisioning::Form form{};
  credentials::Source source{};
  std::vector<std::string> uris{};
  std::string realm{};
  std::string username{};  // or kid
  std::chrono::seconds ttl{};
  WallTime expires_at{};
  std::chrono::seconds refresh_after{};
  enum class Carrier : std::uint8_t { header, body, waf } carrier{};
  double at_ms = 0;  // when it came
};

struct WicCallReport {
  std::string other{};  // who called, or was called
  std::optional<SocketAddress> other_relayed{};
  double set_up_ms = 0;       // from INVITE to 200
  double first_media_ms = 0;  // from INVITE to the first packet that was relayed; 0: none was
  // What fell between these two that is not part of a call: questions to the WAF, and REGISTERs.
  std::size_t waf_round_trips = 0, registrations = 0;
  std::uint64_t echoed = 0;  // echo
  RoundTrips media{};        // call: through both relays
  std::string end{};         // in words
};

struct WicWafReport {
  std::string issuer{};
  WafLoginWay way{};
  std::size_t round_trips = 0;  // of the login, the renewals and the end
  std::size_t renewals = 0;     // in the background
};

struct WicReport {
  std::string server{};
  std::string identity{};
  bool is_registered = false;  // it was, at some time
  double registered_ms = 0;    // from the start to the 200 OK
  std::chrono::seconds expires{};
  std::vector<std::string> identities{};
  std::string login_method{};
  std::vector<WicCredential> credentials{};
  std::optional<SocketAddress> relay{}, relayed{};
  std::optional<WicWafReport> waf{};
  std::size_t reconnections = 0;
  std::vector<WicCallReport> calls{};
  std::vector<ProbeEvent> timeline{};
  std::string verdict{};  // one sentence
  std::vector<std::string> warnings{};
  std::vector<std::string> advice{};
  int exit_status = 1;  // 0 it worked, 1 it did not
  double took_ms = 0;
};

// Blocks until the report is there; `on_event` sees each line of the timeline as it happens.
WicReport run_wic(const WicSettings& settings, const std::function<void(const ProbeEvent&)>& on_event = {});

// --- words ------------------------------------------------------------------------------------------------
// Why a registration was refused, and what to do about it.
struct WicDiagnosis {
  std::string verdict{};
  std::vector<std::string> advice{};
};
WicDiagnosis diagnose_refusal(const WicRefused& refused, const WicSettings& settings);
// Where a token says that it is of the other kind: a sentence. An opaque one says nothing.
std::optional<std::string> find_scenario_problem(Scenario scenario, const Secret& token);
// Of the Warning of a 200 OK without credentials: why, as the end of a sentence. Other servers' words stay.
std::string explain_no_credentials(std::string_view warning);
WicDiagnosis diagnose_call_end(const CallEnded& ended, const std::string& callee);
std::string format_summary(const WicReport& report);
std::string format_json(const WicReport& report);  // everything, for programs

}  // namespace turnpike::client
