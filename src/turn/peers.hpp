#pragma once
// The permissions (RFC 8656 section 9) and channels (section 12) of one allocation. What has expired is not
// here: the engine lets everything expire that is due before it looks. Few entries, bounded by Limits, so
// that a scan of a packed array finds one; the entry found last is tried first.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/function_ref.hpp"
#include "base/time.hpp"

namespace turnpike::turn {

struct Channel {
  SocketAddress peer;
  std::uint16_t number = 0;
  bool is_bound = true;      // false: it rests, and neither number nor peer may be bound elsewhere
  bool is_permitted = true;  // there is a permission for the peer's address
  Instant ends_at{};         // of the binding, or of the rest
};

struct PeersExpired {
  std::uint32_t permissions = 0, channels = 0;
};

class Peers {
 public:
  [[nodiscard]] bool permits(const IpAddress& peer) const { return find_permission(peer) != nullptr; }
  // Bound channels, with permission or without.
  [[nodiscard]] const Channel* find_bound(std::uint16_t number) const;
  [[nodiscard]] const Channel* find_bound(const SocketAddress& peer) const;
  // RFC 8656 section 12.2: a number has one peer and a peer one number, while bound and while resting.
  [[nodiscard]] bool may_bind(std::uint16_t number, const SocketAddress& peer) const;
  [[nodiscard]] bool has_channel(std::uint16_t number) const;  // bound or resting

  // True: it is new.
  bool permit(const IpAddress& peer, Instant until);
  bool bind(std::uint16_t number, const SocketAddress& peer, Instant until);

  // Takes permissions back; channels stay bound and carry nothing. How many.
  std::size_t withdraw(FunctionRef<bool(const IpAddress&)> is_forbidden);

  [[nodiscard]] std::optional<Instant> next_deadline() const;
  PeersExpired expire(Instant now, Duration channel_rest);

  [[nodiscard]] std::size_t permission_count() const { return permissions_.size(); }
  [[nodiscard]] std::size_t channel_count() const { return channels_.size(); }  // with those that rest
  [[nodiscard]] std::size_t bound_count() const;

 private:
  struct Permission {
    IpAddress peer;
    Instant ends_at{};
  };
  [[nodiscard]] const Permission* find_permission(const IpAddress& peer) const;
  void set_permitted(const IpAddress& peer, bool is_permitted);

  std::vector<Permission> permissions_;
  std::vector<Channel> channels_;
  mutable std::uint16_t last_channel_ = 0;
  mutable std::uint16_t last_permission_ = 0;
};

}  // namespace turnpike::turn
