#pragma once
// What was revoked and would otherwise still be accepted: by username, subject, kid or token hash, each until
// the credential would have ended anyway. Limited in size; entries that have ended make room. A kid also
// denies what was derived from it ("k1" denies "k1.8f3a").

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "credentials/grant.hpp"

namespace turnpike::credentials {

class DenyList {
 public:
  static constexpr std::size_t entries_max = 100'000;

  explicit DenyList(std::size_t room = entries_max) : room_(room) {}

  // Adding what is there already keeps the later end. False: full of entries that have not ended.
  [[nodiscard]] bool add(const Revocation& revocation, WallTime wall);
  [[nodiscard]] bool denies(const Grant& grant, WallTime wall) const;
  // Whether it will be obeyed until its end: false where there was no room for it.
  [[nodiscard]] bool holds(const Revocation& revocation, WallTime wall) const;
  // What has not ended, by kind (in the order of By) and value.
  [[nodiscard]] std::vector<Revocation> list(WallTime wall) const;
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t kind_count = 4;
  using Ends = std::map<std::string, WallTime, std::less<>>;  // value -> until
  [[nodiscard]] bool has(Revocation::By by, std::string_view value, WallTime wall) const;
  [[nodiscard]] bool denies_kid(std::string_view kid, WallTime wall) const;
  void drop_ended(WallTime wall);

  std::size_t room_;
  std::array<Ends, kind_count> ends_;
  WallTime first_end_ = WallTime::max();  // no entry ends before
};

}  // namespace turnpike::credentials
