#pragma once
// The port through which the shell of the eP-CSCF has a token of scenario 2 or 3 checked.

#include <functional>
#include <string>

#include "epcscf/effects.hpp"

namespace turnpike::service {

class TokenChecker {
 public:
  virtual ~TokenChecker() = default;
  // Never blocks. `on_answer` is called exactly once, later, from the loop that called; not at all when the
  // checker goes away before.
  virtual void check(std::string token, std::function<void(epcscf::TokenAnswer)> on_answer) = 0;
};

}  // namespace turnpike::service
