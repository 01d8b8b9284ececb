#include "base/check.hpp"

#include <gtest/gtest.h>

namespace turnpike {
namespace {

TEST(Check, LetsATrueConditionPass) {
  check(true, "never seen");
  SUCCEED();
}

TEST(CheckDeath, AbortsAndSaysWhereAndWhat) {
  EXPECT_EXIT(check(false, "the port was given back twice"), testing::KilledBySignal(SIGABRT),
              "check failed at .*check_test.cpp:[0-9]+ in .*: the port was given back twice");
}

}  // namespace
}  // namespace turnpike
