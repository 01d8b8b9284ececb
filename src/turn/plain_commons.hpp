#pragma once
// PlainCommons is the logic of Commons, for one thread. A relay address has a bitmap of its free ports,
// counted in blocks, so that taking one costs the same however many are in use: about a hundred steps, no
// probing and no retries. Every port that fits is equally likely, by the Random& that is handed in: who
// cannot foresee that cannot foresee a port. Memory: 25 KiB for each relay address, 16 bytes for each resting
// port, and a hash table entry for each subject, source and reservation with something to count.
//
// Limits: those of Settings. Reservations are held in ports and thus bounded by the range; quotas count what
// the engines admit, IPv6 sources by their /64.

#include <bitset>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "turn/commons.hpp"
#include "turn/free_ports.hpp"
#include "turn/settings.hpp"

namespace turnpike::turn {

class PlainCommons final : public Commons {
 public:
  // Copies what it needs of the settings; the generator outlives it.
  PlainCommons(const Settings& settings, Random& random);

  // Nothing also for an address that is no relay address of ours.
  std::optional<SocketAddress> take_port(const IpAddress& bind, PortParity parity, Now now) override;
  ReservationToken reserve_next(const SocketAddress& even, Now now) override;
  std::optional<SocketAddress> redeem(const ReservationToken& token, Now now) override;
  // A successor that was held for `even` and never reserved comes back with it.
  void return_port(const SocketAddress& bind, Now now) override;

  // subject_max 0: Limits::allocations_per_subject.
  std::expected<void, QuotaDenial> admit(std::string_view subject, const IpAddress& source,
                                         std::uint32_t subject_max) override;
  void release(std::string_view subject, const IpAddress& source) override;

  struct PortCounts {
    std::size_t free = 0, taken = 0, resting = 0, reserved = 0;  // reserved: for a token, or about to be
    bool operator==(const PortCounts&) const = default;
  };
  PortCounts count_ports(const IpAddress& bind, Now now);
  [[nodiscard]] std::size_t admitted() const { return admitted_; }
  // Subjects and sources with something to count: memory that comes back.
  [[nodiscard]] std::size_t quota_entries() const { return subjects_.size() + sources_.size(); }

 private:
  struct Resting {
    Instant until;
    std::uint16_t port = 0;
  };
  struct Pool {
    IpAddress bind;
    FreePorts free;
    std::bitset<65536> taken{};
    std::bitset<65536> reserved{};
    std::set<std::uint16_t> awaiting_token{};  // even ports whose successor is held, but by no token yet
    std::deque<Resting> resting{};             // in order of their end
  };
  struct Reservation {
    Instant until;
    ReservationToken token{};
  };
  struct TokenHash {
    std::size_t operator()(const ReservationToken& token) const {
      return load_big<std::uint64_t>(token.data());
    }
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  Pool* find_pool(const IpAddress& bind);
  Pool& pool_of(const IpAddress& bind);
  void expire(Now now);
  static void release_reserved(Pool& pool, std::uint16_t port);

  Limits limits_;
  Random* random_;
  std::vector<Pool> pools_;
  std::unordered_map<ReservationToken, SocketAddress, TokenHash> reservations_;
  std::deque<Reservation> reservation_ends_;  // in order of their end
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> subjects_;
  std::unordered_map<IpAddress, std::uint32_t, AddressHash> sources_;
  std::size_t admitted_ = 0;
};

}  // namespace turnpike::turn
