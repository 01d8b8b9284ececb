#pragma once
// Finds those who are registered and no longer may be, because their subscription was removed or barred
// meanwhile: whenever the subscribers have changed, all who are registered are looked up again, some at a
// time and in a circle, so that everybody's turn comes however often they change.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "ims/registrations.hpp"
#include "ims/subscribers.hpp"

namespace turnpike::ims {

class SubscriberReview {
 public:
  // How often changes are looked for; zero: never. Both outlive the review.
  SubscriberReview(std::chrono::seconds every, Subscribers& subscribers, const Registrations& registrations)
      : every_(every), subscribers_(subscribers), registrations_(registrations) {}

  // The private identities whose registrations have to end.
  std::vector<std::string> on_timeout(Now now);
  // Nothing while nobody is registered.
  [[nodiscard]] std::optional<Instant> next_timeout() const;

 private:
  static constexpr std::size_t looked_up_at_once = 500;
  static constexpr std::chrono::milliseconds pause{5};

  std::chrono::seconds every_;
  Subscribers& subscribers_;
  const Registrations& registrations_;
  Instant next_{};
  std::optional<std::uint64_t> seen_{};  // the version of the subscribers that was looked at last
  std::string last_{};                   // who was looked up last
  std::optional<std::string> until_{};   // while a look is under way: with whom the circle closes
  bool is_second_half_ = false;          // it has begun at the first one again
};

}  // namespace turnpike::ims
