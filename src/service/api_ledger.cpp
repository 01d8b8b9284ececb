#include "service/api_ledger.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"

namespace turnpike::service {
namespace {

constexpr std::chrono::hours seat_life{24};
constexpr std::chrono::minutes sweep_every{1};
constexpr std::chrono::seconds sweep_pause_when_full{1};

// What has ended by itself may still have running allocations, which a withdrawal ends; so it is remembered
// for a while, where there is room.
constexpr std::chrono::hours memory{24};

bool is_over(const ApiLedger::Seat& seat, WallTime wall, Duration remembered) {
  return seat.until <= wall - remembered;
}

}  // namespace

ApiLedger::User* ApiLedger::find_or_add(std::string_view name, Now now) {
  const bool is_full = users_.size() >= users_max_;
  const Duration pause = is_full ? Duration{sweep_pause_when_full} : Duration{sweep_every};
  if (!swept_at_ || now.mono - *swept_at_ >= pause) sweep(now, is_full ? Duration{} : Duration{memory});
  const auto found = users_.find(name);
  if (found != users_.end()) return &found->second;
  if (users_.size() >= users_max_) return nullptr;
  return &users_[std::string{name}];
}

ApiLedger::Seat& ApiLedger::find_seat(User& user, Now now, Random& random) {
  std::erase_if(user.seats, [&](const Seat& seat) { return is_over(seat, now.wall, memory); });
  if (user.seats.empty() || user.seats.back().is_closed || now.mono - user.seats.back().begun_at >= seat_life)
    user.seats.push_back({.salt = to_hex(random.draw<16>()), .begun_at = now.mono});
  return user.seats.back();
}

std::vector<credentials::Revocation> ApiLedger::withdraw(std::string_view name, Now now) {
  std::vector<credentials::Revocation> revocations;
  const auto found = users_.find(name);
  if (found == users_.end()) return revocations;
  for (const Seat& seat : std::exchange(found->second.seats, {}))
    if (!seat.subject.empty())
      revocations.push_back({.by = credentials::Revocation::By::subject,
                             .value = seat.subject,
                             .until = std::max(seat.until, now.wall)});
  return revocations;
}

void ApiLedger::end_seats() {
  for (auto& [name, user] : users_)
    for (Seat& seat : user.seats) seat.is_closed = true;
}

// A user goes when nothing of theirs lives, and no budget has to be remembered.
void ApiLedger::sweep(Now now, Duration remembered) {
  swept_at_ = now.mono;
  for (auto& [name, user] : users_)
    std::erase_if(user.seats, [&](const Seat& seat) { return is_over(seat, now.wall, remembered); });
  std::erase_if(users_, [&](const auto& entry) {
    return entry.second.seats.empty() && entry.second.requests.is_full(now.mono);
  });
}

std::vector<ApiUserView> ApiLedger::views(std::size_t max, WallTime wall) const {
  std::vector<ApiUserView> views;
  for (const auto& [name, user] : users_) {
    if (views.size() >= max) break;
    ApiUserView view{.user = name};
    for (const Seat& seat : user.seats) {
      if (seat.subject.empty() || is_over(seat, wall, Duration{})) continue;
      view.subjects.push_back(seat.subject);
      view.expires_in =
          std::max(view.expires_in, std::chrono::floor<std::chrono::seconds>(seat.until - wall));
    }
    if (!view.subjects.empty()) views.push_back(std::move(view));
  }
  return views;
}

}  // namespace turnpike::service
