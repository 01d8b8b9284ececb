#pragma once
// What was revoked and would otherwise still be accepted: by username, subject, kid or token hash, each until
// the credential would have ended anyway. Limited in size; entries that have ended make room.

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "credentials/grant.hpp"

namespace turnpike::credentials {

class DenyList {
 public:
  static constexpr std::size_t entries_max = 100'000;

  // Adding what is there already keeps the later end. False: full of entries that have not ended.
  [[nodiscard]] bool add(const Revocation& revocation, WallTime wall);
  [[nodiscard]] bool denies(const Grant& grant, WallTime wall) const;
  [[nodiscard]] std::vector<Revocation> list(
      WallTime wall) const;  // what has not ended, in order of its value
  [[nodiscard]] std::size_t size() const { return until_.size(); }

 private:
  std::map<std::pair<Revocation::By, std::string>, WallTime> until_;
};

}  // namespace turnpike::credentials
