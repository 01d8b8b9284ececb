#pragma once
// WicAgent is a WIC without its sockets: a SIP user agent over WebSocket (RFC 7118) as a machine. It
// registers (RFC 3261 section 10, RFC 5626 over one flow), asks for TURN credentials and keeps both fresh,
// and makes and takes calls. Used by `turnpike wic`, by the load generator and by simulations.
//
//   shell:  on_flow_opened / on_message / on_flow_closed / on_timeout
//   user:   start / stop / call / ring / answer / reject / hang_up
//           then next_effect() until it is empty, then sleep until next_timeout()

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "client/wic_credentials.hpp"
#include "client/wic_login.hpp"
#include "provisioning/provision.hpp"

namespace turnpike::client {

enum class CredentialsAsk : std::uint8_t { none, header, body };

struct WicLimits {
  std::size_t calls_max = 8;  // at the same time; 486 beyond
  std::chrono::seconds retry_after_max{60};
  int retries_max = 3;  // after 503 and its like with Retry-After
};

struct WicAgentSettings {
  std::string identity{};  // the IMPU: "sip:alice@ims.example"
  WicLogin login{};
  bool is_secure = true;  // Via: WSS or WS
  std::chrono::seconds expires{3600};
  std::string instance{};  // the UUID of +sip.instance; made by chance where it is empty
  CredentialsAsk credentials = CredentialsAsk::header;
  provisioning::Request wanted{};  // by header alone
  WicLimits limits{};
};
// The sentence that says what is wrong with an identity; nothing where it is a SIP URI with a user.
std::optional<std::string> find_identity_problem(std::string_view identity);

enum class CallId : std::uint64_t {};

// --- effects ----------------------------------------------------------------------------------------------
struct WicSend {
  std::string bytes;
};
struct WicRegistered {
  std::chrono::seconds expires{};
  std::chrono::seconds refresh_after{};        // when the agent registers again, by itself
  std::vector<std::string> identities{};       // P-Associated-URI; the first is the default one
  std::string login_method{};                  // "SHA-256", ...
  std::optional<ReadProvision> credentials{};  // nothing: the answer has none
  std::string warning{};                       // text of a Warning, if there is one
  bool is_refresh = false;
};
struct WicUnregistered {};
struct WicRetrying {  // the server has asked for patience
  std::uint16_t code = 0;
  std::chrono::seconds after{};
};
struct WicRefused {  // the registration has failed, and the agent has given up
  enum class Kind : std::uint8_t { code, login, no_answer, flow_closed, malformed_answer };
  Kind kind{};
  std::uint16_t code = 0;              // code and login
  std::string reason{};                // the server's words, or what is malformed
  std::string warning{};               // of its Warning header
  LoginRefusal login{};                // login
  std::string token_error{};           // login
  std::chrono::seconds retry_after{};  // zero: none was named
};
struct CallOffered {  // somebody calls
  CallId id{};
  std::string caller{};  // P-Asserted-Identity, else From
  std::string offer{};   // SDP
};
struct CallRinging {
  CallId id{};
  std::uint16_t code = 180;
};
struct CallAnswered {  // ours was
  CallId id{};
  std::string answer{};  // SDP
};
struct CallConfirmed {  // what we answered has reached the caller
  CallId id{};
};
struct CallReoffered {  // a re-INVITE; the agent has answered with the description that it gave before
  CallId id{};
  std::string offer{};
};
struct CallEnded {
  enum class Cause : std::uint8_t { hung_up, cancelled, refused, no_answer, flow_closed, malformed_answer };
  CallId id{};
  Cause cause{};
  bool is_ours = false;    // hung_up and cancelled: we did
  std::uint16_t code = 0;  // refused
  std::string reason{};
};
struct WicTraced {  // one message, for timelines: its first line and what is telling in it, without secrets
  bool is_sent = false;
  std::string message{};
  std::string detail{};
};
using WicEffect = std::variant<WicSend, WicRegistered, WicUnregistered, WicRetrying, WicRefused, CallOffered,
                               CallRinging, CallAnswered, CallConfirmed, CallReoffered, CallEnded, WicTraced>;

class WicAgent {
 public:
  WicAgent(WicAgentSettings settings, Random& random);
  ~WicAgent();
  WicAgent(WicAgent&&) noexcept;
  WicAgent& operator=(WicAgent&&) noexcept;

  void on_flow_opened(Now now);  // a connection stands; the one before, if any, counts as closed
  void on_message(std::string_view text, Now now);
  void on_flow_closed(Now now);
  void on_timeout(Now now);

  void start(Now now);                // registers, and from then on keeps the registration fresh
  void change_login(WicLogin login);  // of REGISTERs from now on: a newer token
  void stop(Now now);                 // ends calls and registers with expires=0

  CallId call(std::string_view callee, std::string_view offer, Now now);  // a SIP or tel URI
  void ring(CallId id, Now now);                                          // 180
  void answer(CallId id, std::string_view answer, Now now);               // 200
  void reject(CallId id, std::uint16_t code, Now now);
  void hang_up(CallId id, Now now);  // BYE, CANCEL or 603, as the call stands

  std::optional<WicEffect> next_effect();
  [[nodiscard]] std::optional<Instant> next_timeout();
  [[nodiscard]] bool is_registered() const;
  [[nodiscard]] std::size_t call_count() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::client
