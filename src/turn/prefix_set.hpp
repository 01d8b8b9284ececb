#pragma once
// The addresses in any of some prefixes, found by binary search. An IPv4-mapped prefix (of 96 bits and more)
// is the IPv4 prefix that it stands for; asked is for canonical addresses.

#include <cstdint>
#include <utility>
#include <vector>

#include "base/address.hpp"

namespace turnpike::turn {

class PrefixSet {
 public:
  explicit PrefixSet(const std::vector<IpPrefix>& prefixes);
  [[nodiscard]] bool contains(const IpAddress& address) const;

 private:
  using Number = std::pair<std::uint64_t, std::uint64_t>;  // 128 bits, the higher ones first
  struct Range {
    Number first;
    Number last;
  };
  using Ranges = std::vector<Range>;  // sorted and disjoint
  static Number to_number(const IpAddress& address);
  static Range to_range(const IpPrefix& prefix);
  static Ranges merge(Ranges ranges);

  Ranges v4_;
  Ranges v6_;
};

}  // namespace turnpike::turn
