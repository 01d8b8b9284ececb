#pragma once
// Who may try a password now. Three counts stand side by side: of a user from one source, so that nobody
// locks a user out of his own home; of a user from everywhere, which does not concern browsers in which he
// has logged in before; and of a source, whatever the names.

#include <optional>
#include <string>
#include <string_view>

#include "waf/visit.hpp"

namespace turnpike::waf {

// Until when this name is locked from here. Names that nobody has are locked alike.
std::optional<WallTime> find_lock(const Visit& visit, std::string_view name);
// What is locked now, in words for the audit trail; empty: nothing.
std::string note_failed_login(Visit& visit, std::string_view name);
void note_login(Visit& visit, std::string_view name);

}  // namespace turnpike::waf
