#pragma once
// How many answers per second a source address may cause before it has proved anything: a token bucket per
// source, with a burst of one second's worth. The sources of IPv6 are its /64 networks, as one customer has
// that many addresses.
//
// Memory is fixed, 128 KiB, whatever the number of sources: every source belongs to one bucket in each of two
// tables, chosen by a keyed hash, and the emptier one speaks for it. So no source ever exceeds its rate, and
// an innocent one is slowed down only when others have filled both of its buckets. All sources together get
// at most 16384 times the rate.

#include <cstdint>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"

namespace turnpike {

class SourceLimiter {
 public:
  // per_second 0: nobody is admitted. The key is random, so that a stranger cannot aim at another's buckets.
  SourceLimiter(std::uint32_t per_second, std::uint64_t hash_key);

  [[nodiscard]] bool admit(const IpAddress& source, Instant now);

 private:
  Duration price_;  // of one answer
  AddressHash hash_;
  std::vector<Instant> paid_at_;  // both tables, one after the other
};

}  // namespace turnpike
