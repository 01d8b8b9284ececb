#pragma once
// What a subscriber must be like before it is kept.

#include <optional>
#include <string>

#include "ims/subscribers.hpp"

namespace turnpike::ims {

// Identities in the one way in which they are compared (identity.hpp). Call it before find_problem().
Subscriber normalized(Subscriber subscriber);

// In words: what was found and what is allowed; never a secret.
std::optional<std::string> find_problem(const Subscriber& subscriber);

}  // namespace turnpike::ims
