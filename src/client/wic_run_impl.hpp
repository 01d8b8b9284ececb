#pragma once
// What is inside of run_wic(), for wic_run.cpp (steps and the loop) and wic_run_calls.cpp (calls and media).

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/function_ref.hpp"
#include "base/random.hpp"
#include "client/timeline.hpp"
#include "client/wic_relay.hpp"
#include "client/wic_run.hpp"
#include "client/wic_waf.hpp"

namespace turnpike::client {

class WicRun {
 public:
  WicRun(const WicSettings& settings, const std::function<void(const ProbeEvent&)>& on_event)
      : settings_(settings), timeline_(read_clocks().mono, on_event), session_(random_.next_u64()) {
    report_.server = settings.door.uri.to_string();
    report_.identity = settings.agent.identity;
  }

  WicReport run();

 private:
  struct Talk {  // one call
    CallId id{};
    WicCallReport report{};
    Instant began{};
    std::optional<Instant> first_media{};
    std::optional<SocketAddress> other{};
    bool is_waiting = false;  // echo: for the permission of the caller's relay
    bool is_answered = false;
    bool is_over = false;
  };

  void go();
  bool log_in();
  bool connect();
  bool register_identity();
  bool allocate();
  // Stays until it holds, the time is over, or what was lost cannot be had again.
  void linger(FunctionRef<bool()> is_done, Duration at_most);
  bool recover();
  bool reconnect();
  [[nodiscard]] bool has_lost_token() const;
  bool replace_token();
  bool try_again();
  bool revive_relay();
  [[nodiscard]] bool has_lost_registration();
  [[nodiscard]] bool is_worth_another_try() const;
  void stay();
  void echo();
  void call();
  void leave();

  bool place_call(Talk& talk);
  bool open_path(Talk& talk);
  void send_media(Talk& talk);
  void judge_media(Talk& talk);

  // Serves everything until it holds or the time is over; returns whether it holds. Ends early when the
  // connection is gone or somebody interrupts.
  bool await(FunctionRef<bool()> is_done, Duration timeout);
  // The same while there is no connection.
  void rest(Duration time);
  void wait(Duration at_most);
  void serve_once(Duration at_most);
  void drain();
  void on_effect(WicEffect effect);
  void on_registered(WicRegistered registered);
  void on_credentials(const ReadProvision& provision);
  void note_credential(const provisioning::Entry& entry, WicCredential::Carrier carrier,
                       std::chrono::seconds refresh_after);
  void judge_sources(const std::vector<provisioning::Entry>& entries);
  void on_tokens(const OAuthTokens& tokens);
  void on_renewal(const std::expected<OAuthTokens, WafFailure>& renewal);
  void use(RelayAccess access);
  void note_register();
  void on_offer(const CallOffered& offer);
  void on_answer(const CallAnswered& answer);
  void on_call_ended(const CallEnded& ended);
  void on_packet(const SocketAddress& from, Bytes packet);
  void answer_waiting();
  Talk* find(CallId id);
  void note_first_media(Talk& talk, Now now);
  void count_extra(Talk& talk);

  [[nodiscard]] bool is_interrupted();
  [[nodiscard]] bool is_cut_off() const { return !socket_ || socket_->closed(); }
  void fail(std::string verdict, std::vector<std::string> advice = {});
  void fail_when_cut_off();

  WicSettings settings_;
  SystemRandom random_;
  Timeline timeline_;
  WicReport report_;
  std::unique_ptr<WicWaf> waf_;
  std::optional<WicAgent> agent_;  // once it is known who registers
  std::uint64_t session_;
  std::optional<WebSocket> socket_;
  std::unique_ptr<WicRelay> relay_;
  std::optional<RelayAccess> access_;
  std::optional<WicRefused> refused_;
  bool is_refused_tokens_ = false;    // by the WAF, for good
  std::string no_credentials_{};      // why
  std::deque<Instant> registers_{};   // when REGISTERs were sent
  std::chrono::seconds patience_{1};  // before the next connection
  bool is_unregistered_ = false;
  bool is_winding_up_ = false;
  bool is_resting_ = false;
  Instant stays_until_{};
  bool was_interrupted_ = false;
  std::vector<std::unique_ptr<Talk>> talks_;
  std::vector<Instant> sent_at_;
  std::vector<std::optional<Duration>> round_trips_;
};

}  // namespace turnpike::client
