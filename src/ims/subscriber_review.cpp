#include "ims/subscriber_review.hpp"

#include <utility>

namespace turnpike::ims {

std::vector<std::string> SubscriberReview::on_timeout(Now now) {
  std::vector<std::string> gone;
  if (every_.count() == 0 || registrations_.size() == 0 || now.mono < next_) return gone;
  next_ = now.mono + every_;
  const std::uint64_t version = subscribers_.version();
  const bool is_new = !seen_ || *seen_ != version;
  if (!is_new && !last_) return gone;
  if (is_new) last_.emplace();  // from the beginning
  seen_ = version;
  const auto& all = registrations_.all();
  auto at = all.upper_bound(*last_);
  for (std::size_t count = 0; count < looked_up_at_once && at != all.end(); ++count, ++at) {
    const auto subscriber = subscribers_.find_private(at->first);
    if (!subscriber && subscribers_.has_failed()) return gone;  // later, from here
    if (!subscriber || subscriber->is_barred) gone.push_back(at->first);
    last_ = at->first;
  }
  if (at == all.end())
    last_.reset();
  else
    next_ = now.mono + pause;
  return gone;
}

std::optional<Instant> SubscriberReview::next_timeout() const {
  if (every_.count() == 0 || registrations_.size() == 0) return std::nullopt;
  return next_;
}

}  // namespace turnpike::ims
