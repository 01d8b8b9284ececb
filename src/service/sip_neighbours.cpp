#include "service/sip_neighbours.hpp"

#include <algorithm>
#include <iterator>

namespace turnpike::service {

SipMailbox::Outcome SipMailbox::put(std::vector<Letter>& letters) {
  std::size_t bytes = 0;
  for (const Letter& letter : letters) bytes += letter.text.size();
  const std::lock_guard lock{mutex_};
  if (is_closed_) return Outcome::closed;
  if (waiting_bytes_ + bytes > bytes_max_) return Outcome::full;
  if (waiting_.empty()) loop_.post([self = shared_from_this()] { self->read_all(); });
  waiting_bytes_ += bytes;
  waiting_.insert(waiting_.end(), std::move_iterator{letters.begin()}, std::move_iterator{letters.end()});
  letters.clear();
  return Outcome::taken;
}

void SipMailbox::read_all() {
  std::vector<Letter> letters;
  {
    const std::lock_guard lock{mutex_};
    letters.swap(waiting_);
    waiting_bytes_ = 0;
  }
  for (const Letter& letter : letters) {
    if (is_closed_) return;  // by what the one before has led to; written on this thread alone
    read_(letter);
  }
}

void SipMailbox::close() {
  const std::lock_guard lock{mutex_};
  is_closed_ = true;
  waiting_.clear();
}

void SipNeighbours::add(const SipListener& listener, std::shared_ptr<SipMailbox> mailbox) {
  const std::lock_guard lock{mutex_};
  places_.emplace_back(listener, std::move(mailbox));
}

void SipNeighbours::remove(const SipMailbox& mailbox) {
  const std::lock_guard lock{mutex_};
  std::erase_if(places_, [&](const auto& place) { return place.second.get() == &mailbox; });
}

std::shared_ptr<SipMailbox> SipNeighbours::find(const SipListener& listener) {
  const std::lock_guard lock{mutex_};
  const auto found = std::ranges::find(places_, listener, [](const auto& place) { return place.first; });
  return found == places_.end() ? nullptr : found->second;
}

}  // namespace turnpike::service
