#pragma once
// The text of one log line, without its time: what Log writes, apart from where it writes it.

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/log.hpp"

namespace turnpike {

// level=info event="allocation created" relay=192.0.2.1:50000
std::string format_log_text(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

// "level":"info","event":"allocation created","relay":"192.0.2.1:50000" - the members of an object without
// its braces, as the time stands before them.
std::string format_log_json(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

}  // namespace turnpike
