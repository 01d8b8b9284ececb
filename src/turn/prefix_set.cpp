#include "turn/prefix_set.hpp"

#include <algorithm>

namespace turnpike::turn {
namespace {

constexpr std::uint8_t mapped_bits = 96;

// All ones in the `bits` lowest places.
constexpr std::uint64_t ones(unsigned bits) {
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

IpPrefix to_canonical(const IpPrefix& prefix) {
  const IpAddress base = prefix.base.canonical();
  if (base.family() == prefix.base.family() || prefix.length < mapped_bits) return prefix;
  return {base, static_cast<std::uint8_t>(prefix.length - mapped_bits)};
}

}  // namespace

PrefixSet::PrefixSet(const std::vector<IpPrefix>& prefixes) {
  for (const IpPrefix& any : prefixes) {
    const IpPrefix prefix = to_canonical(any);
    (prefix.base.is_v4() ? v4_ : v6_).push_back(to_range(prefix));
  }
  v4_ = merge(std::move(v4_));
  v6_ = merge(std::move(v6_));
}

bool PrefixSet::contains(const IpAddress& address) const {
  const Ranges& ranges = address.is_v4() ? v4_ : v6_;
  const Number number = to_number(address);
  const auto next =
      std::upper_bound(ranges.begin(), ranges.end(), number,
                       [](const Number& wanted, const Range& range) { return wanted < range.first; });
  return next != ranges.begin() && number <= std::prev(next)->last;
}

PrefixSet::Number PrefixSet::to_number(const IpAddress& address) {
  const Byte* bytes = address.bytes().data();
  if (address.is_v4()) return {0, load_big<std::uint32_t>(bytes)};
  return {load_big<std::uint64_t>(bytes), load_big<std::uint64_t>(bytes + 8)};
}

PrefixSet::Range PrefixSet::to_range(const IpPrefix& prefix) {
  const unsigned free_bits = (prefix.base.is_v4() ? 32U : 128U) - prefix.length;
  const Number mask{ones(free_bits > 64 ? free_bits - 64 : 0), ones(free_bits)};
  const auto [high, low] = to_number(prefix.base);
  return {{high & ~mask.first, low & ~mask.second}, {high | mask.first, low | mask.second}};
}

PrefixSet::Ranges PrefixSet::merge(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  Ranges merged;
  for (const Range& range : ranges) {
    if (!merged.empty() && range.first <= merged.back().last)
      merged.back().last = std::max(merged.back().last, range.last);
    else
      merged.push_back(range);
  }
  return merged;
}

}  // namespace turnpike::turn
