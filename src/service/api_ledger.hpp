#pragma once
// The users of the credential API: which opaque subjects stand behind the credentials that each was given, so
// that all of them can be taken back, and how often each may ask. In memory alone: what was handed out before
// a restart ends by itself, or is taken back by its username. Pure.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/rate_bucket.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"

namespace turnpike::service {

struct ApiUserView {  // for an operator
  std::string user{};
  std::vector<std::string> subjects{};  // the newest last
  std::chrono::seconds expires_in{};    // of the last credential
};

class ApiLedger {
 public:
  // One identity of a user. It stays for a day, so that quotas hold, and then there is another, so that
  // nobody is followed; also another one after a withdrawal, as relays refuse the old one until its end.
  struct Seat {
    std::string salt{};
    std::string subject{};  // empty: nothing was issued under it
    Instant begun_at{};
    bool is_closed = false;              // nothing more is issued under it
    std::optional<WallTime> last_end{};  // of the newest credential
    WallTime until = WallTime::min();    // until when a revocation of it has to stand
  };

  explicit ApiLedger(std::size_t users_max) : users_max_(users_max) {}

  // Null where there is no room for another user. Good until the next call.
  struct User {
    std::vector<Seat> seats{};
    RateBucket requests{};
  };
  User* find_or_add(std::string_view name, Now now);
  // The seat that new credentials are issued under; one is begun where there is none that is young enough.
  static Seat& find_seat(User& user, Now now, Random& random);

  // What has to be revoked for a user to have nothing any more. What is asked for later has another subject.
  std::vector<credentials::Revocation> withdraw(std::string_view name, Now now);
  // New seats for all: the key of subjects has changed.
  void end_seats();

  [[nodiscard]] std::vector<ApiUserView> views(std::size_t max, WallTime wall) const;
  [[nodiscard]] std::size_t size() const { return users_.size(); }
  void set_users_max(std::size_t users_max) { users_max_ = users_max; }

 private:
  void sweep(Now now, Duration remembered);

  std::size_t users_max_;
  std::map<std::string, User, std::less<>> users_{};
  std::optional<Instant> swept_at_{};
};

}  // namespace turnpike::service
