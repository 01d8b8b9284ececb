#pragma once
// check(condition): always on. For our own mistakes, never for input or the environment:
// prints where and what, then aborts.

#include <source_location>

namespace turnpike {

[[noreturn]] void fail_check(const char* what, std::source_location where);

constexpr void check(bool condition, const char* what = "",
                     std::source_location where = std::source_location::current()) {
  if (!condition) [[unlikely]]
    fail_check(what, where);
}

}  // namespace turnpike
