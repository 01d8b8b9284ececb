#pragma once
// RegEvents is the notifier of the reg event package (RFC 3680 over RFC 6665): subscriptions to
// registrations, and a NOTIFY with full state after each change, so that a lost one is made good by the next.
// Where full state fits into no message, one with what has ended.

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "ims/refusal.hpp"
#include "ims/registrations.hpp"
#include "ims/router.hpp"
#include "ims/settings.hpp"
#include "ims/subscribers.hpp"
#include "sip/hop.hpp"
#include "sip/message.hpp"

namespace turnpike::ims {

enum class SubscriptionId : std::uint64_t {};

// A request, with its Via.
struct Notify {
  SubscriptionId subscription{};
  sip::Hop to;
  std::string text;
};

class RegEvents {
 public:
  // Both outlive it.
  RegEvents(const Settings& settings, Random& random) : settings_(settings), random_(random) {}

  // A SUBSCRIBE to this subscriber's registration, which may be none yet; the watcher may have it. The text
  // is the 200's, and a NOTIFY follows.
  std::expected<std::string, Refusal> on_subscribe(const sip::Message& request, const Watcher& watcher,
                                                   const Subscriber& watched,
                                                   const Registration* registration, Now now);
  // A SUBSCRIBE within a dialog: whose registration it is about, and who opened it.
  struct Subscribed {
    std::string impi;
    Watcher watcher;
  };
  [[nodiscard]] std::optional<Subscribed> find_subscribed(const sip::Message& request) const;
  void on_change(const RegistrationChange& change, Now now);
  // The final answer to a NOTIFY; 408 where none came.
  void on_answer(SubscriptionId id, std::uint16_t status_code);
  void on_timeout(const Registrations& registrations, Now now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  std::optional<Notify> next_notify();
  [[nodiscard]] std::size_t size() const { return subscriptions_.size(); }

 private:
  struct Subscription {
    std::string impi;
    std::vector<std::string> impus;
    Watcher watcher;
    std::string call_id;
    std::string local;   // From of a NOTIFY, with our tag
    std::string remote;  // To of a NOTIFY, with its tag
    std::string local_tag;
    std::string remote_tag;
    std::string target;              // the subscriber's Contact
    std::vector<std::string> route;  // members of Route
    sip::Hop next;
    std::string event_id;  // ";id=7" or nothing
    std::uint32_t remote_cseq = 0;
    std::uint32_t local_cseq = 0;
    std::uint32_t version = 0;
    Instant expires_at{};
  };
  enum class EndReason : std::uint8_t { none, timeout, no_resource, displaced };
  static std::string_view to_string(EndReason reason);

  [[nodiscard]] std::expected<Subscription, Refusal> open(const sip::Message& request) const;
  [[nodiscard]] std::optional<SubscriptionId> find(const sip::Message& request) const;
  [[nodiscard]] std::chrono::seconds granted(const sip::Message& request,
                                             const Registration* registration) const;
  void make_room(const Watcher& watcher, std::string_view impi, const Registration* registration, Now now);
  void notify(SubscriptionId id, const Registration* registration, const std::vector<Binding>& ended,
              EndReason reason, Now now);
  void forget(SubscriptionId id);

  const Settings& settings_;
  Random& random_;
  std::uint64_t last_id_ = 0;
  std::map<SubscriptionId, Subscription> subscriptions_;
  std::map<std::string, SubscriptionId, std::less<>> by_dialog_;  // Call-ID and our tag
  std::map<std::string, std::vector<SubscriptionId>, std::less<>> by_private_;
  std::set<std::pair<Instant, SubscriptionId>> timers_;
  std::deque<Notify> notifies_;
};

}  // namespace turnpike::ims
