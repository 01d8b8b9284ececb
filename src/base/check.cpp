#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace turnpike {

void fail_check(const char* what, std::source_location where) {
  std::fprintf(stderr, "turnpike: check failed at %s:%u in %s: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), where.function_name(), what);
  std::abort();
}

}  // namespace turnpike
