#pragma once
// HomeCore is the embedded home network in small: I-CSCF, S-CSCF and HSS of TS 23.228 as one machine. It
// authenticates and registers (SIP Digest, IMS AKA, Trusted Node Authentication), answers reg-event
// subscriptions (RFC 3680), and routes requests between registered users over their Paths.
//
//   shell:  on_message / on_hop_failed / on_timeout, then next_effect() until it is empty

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/random.hpp"
#include "base/time.hpp"
#include "ims/authenticator.hpp"
#include "ims/hops.hpp"
#include "ims/reg_events.hpp"
#include "ims/registrar.hpp"
#include "ims/registrations.hpp"
#include "ims/router.hpp"
#include "ims/settings.hpp"
#include "ims/subscriber_review.hpp"
#include "ims/subscribers.hpp"
#include "sip/forwarder.hpp"
#include "sip/hop.hpp"
#include "sip/transaction_layer.hpp"

namespace turnpike::ims {

struct SendTo {
  sip::Hop to;
  std::string bytes;
};

// --- reports, for logs ------------------------------------------------------------------------------------
struct RegistrationReport {  // after each change
  RegistrationChange change;
};
struct RefusalReport {  // of a REGISTER
  std::string impi;     // as it was claimed
  RefusalReason reason{};
  sip::Hop from;
};
using Effect = std::variant<SendTo, RegistrationReport, RefusalReport>;

struct Counters {
  std::uint64_t registered = 0;  // REGISTERs with a 200 that bound something
  std::uint64_t deregistered = 0;
  std::uint64_t fetched = 0;
  std::uint64_t challenged = 0;
  std::uint64_t refused = 0;    // REGISTERs
  std::uint64_t forwarded = 0;  // requests
  std::uint64_t not_routed = 0;
  std::uint64_t subscribed = 0;  // to the reg event package, refreshments too
  std::uint64_t notified = 0;
  std::uint64_t malformed = 0;
  std::uint64_t dropped = 0;  // by a limit, or responses to nothing
};

class HomeCore {
 public:
  // Subscribers and randomness outlive the core.
  HomeCore(Settings settings, Subscribers& subscribers, Random& random);
  HomeCore(const HomeCore&) = delete;
  HomeCore& operator=(const HomeCore&) = delete;

  // One SIP message from this peer; answers go back to it.
  void on_message(const sip::Hop& from, std::string_view text, Now now);
  // What was sent there did not arrive.
  void on_hop_failed(const sip::Hop& to, Now now);
  void on_timeout(Now now);
  std::optional<Effect> next_effect();
  [[nodiscard]] std::optional<Instant> next_timeout();

  // --- for operators ---
  // Ends every binding; the event is deactivated, probation or rejected. False when there was none.
  bool deregister(std::string_view impi, ContactEvent event, Now now);
  [[nodiscard]] const Registrations& registrations() const { return registrations_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] std::size_t subscription_count() const { return reg_events_.size(); }
  [[nodiscard]] std::size_t transaction_count() const { return layer_.transaction_count(); }

 private:
  struct Journey {  // of a request that was forwarded to a binding
    sip::Hop from;
    std::uint64_t binding = 0;
  };
  void on_request(const sip::Hop& from, const sip::Message& request, Now now);
  void on_response(const sip::Hop& from, const sip::Message& response, Now now);
  bool try_another(sip::ClientId id, const sip::Hop& from, Now now);
  void on_new_request(const sip::NewRequest& arrival, const sip::Hop& from, const sip::Message& request,
                      Now now);
  void on_register(sip::ServerId id, const sip::Hop& from, const sip::Message& request, Now now);
  void on_cancel(const sip::NewRequest& arrival, const sip::Message& request, Now now);
  void on_ack(const sip::Hop& from, const sip::Message& request, Now now);
  void on_subscribe(sip::ServerId id, const sip::Hop& from, const sip::Message& request, Now now);
  void send_notifies(Now now);
  void on_notify_answered(sip::ClientId id, std::uint16_t status_code);
  void forward(sip::ServerId id, const sip::Hop& from, const sip::Message& request, Now now);
  // Whether it is on its way.
  [[nodiscard]] std::expected<void, Refusal> send_on(sip::ServerId id, const sip::Hop& from,
                                                     const sip::Message& request, Now now);
  void answer_for_ourselves(sip::ServerId id, const sip::Message& request, Now now);
  void respond(sip::ServerId id, const sip::Message& request, const Refusal& refusal, Now now);
  [[nodiscard]] std::optional<sip::Flow> flow_to(const sip::Hop& hop, Now now) {
    return hops_.flow_of(hop, settings_.trusts(hop), now);
  }
  [[nodiscard]] std::string make_tag() { return to_hex(random_.draw<8>()); }
  void settle(Now now);  // what the parts have to say after an input
  void obey(sip::TransactionEffect effect, Now now);

  Settings settings_;
  Subscribers& subscribers_;
  Random& random_;
  sip::TransactionLayer layer_;
  sip::Forwarder forwarder_{layer_};
  Hops hops_;
  Registrations registrations_;
  Authenticator authenticator_;
  Registrar registrar_;
  Router router_;
  RegEvents reg_events_;
  SubscriberReview review_;
  std::map<sip::ClientId, Journey> journeys_;
  std::map<sip::ClientId, SubscriptionId> notifies_;  // on their way
  Counters counters_;
  std::deque<Effect> effects_;
};

}  // namespace turnpike::ims
