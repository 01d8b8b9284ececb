#include "ims/subscriber_review.hpp"

namespace turnpike::ims {

std::vector<std::string> SubscriberReview::on_timeout(Now now) {
  std::vector<std::string> gone;
  if (every_.count() == 0 || registrations_.size() == 0 || now.mono < next_) return gone;
  next_ = now.mono + every_;
  const std::uint64_t version = subscribers_.version();
  const bool is_new = !seen_ || *seen_ != version;
  if (!is_new && !until_) return gone;
  if (is_new) {
    until_ = last_;
    is_second_half_ = false;
  }
  seen_ = version;
  const auto& all = registrations_.all();
  auto at = all.upper_bound(last_);
  for (std::size_t count = 0; count < looked_up_at_once; ++count, ++at) {
    if (at == all.end() && !is_second_half_) {
      is_second_half_ = true;
      at = all.begin();
    }
    if (at == all.end() || (is_second_half_ && at->first > *until_)) {
      until_.reset();
      return gone;
    }
    const auto subscriber = subscribers_.find_private(at->first);
    if (!subscriber && subscribers_.has_failed()) return gone;  // later, from here
    if (!subscriber || subscriber->is_barred) gone.push_back(at->first);
    last_ = at->first;
  }
  next_ = now.mono + pause;
  return gone;
}

std::optional<Instant> SubscriberReview::next_timeout() const {
  if (every_.count() == 0 || registrations_.size() == 0) return std::nullopt;
  return next_;
}

}  // namespace turnpike::ims
