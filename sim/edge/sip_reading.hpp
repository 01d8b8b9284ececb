#pragma once
// What the model reads of a SIP message.

#include <optional>
#include <string>

#include "sip/message.hpp"
#include "sip/values.hpp"

namespace turnpike::sim {

// Of the topmost Via, or of one below it. Without a branch, as in the days of RFC 2543, Call-ID and CSeq tell
// requests apart (RFC 3261 section 17.2.3).
std::optional<std::string> branch_of(const sip::Message& message, std::size_t index = 0);
std::string address_of_record(const sip::NameAddr& address);

}  // namespace turnpike::sim
