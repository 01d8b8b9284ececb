#include "base/function_ref.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace turnpike {
namespace {

int apply(FunctionRef<int(int)> function, int argument) { return function(argument); }

TEST(FunctionRef, CallsALambdaWithItsCaptures) {
  int calls = 0;
  const int result = apply(
      [&](int argument) {
        ++calls;
        return argument * 2;
      },
      21);
  EXPECT_EQ(result, 42);
  EXPECT_EQ(calls, 1);
}

int twice(int argument) { return argument * 2; }

TEST(FunctionRef, CallsAFunctionAndAPointerToOne) {
  EXPECT_EQ(apply(twice, 4), 8);
  EXPECT_EQ(apply(&twice, 4), 8);
}

TEST(FunctionRef, ChangesTheCallableItselfAndNotACopy) {
  auto count = [calls = 0](int) mutable { return ++calls; };
  apply(count, 0);
  EXPECT_EQ(apply(count, 0), 2);
}

TEST(FunctionRef, PassesArgumentsThatOnlyMove) {
  auto take = [](std::unique_ptr<int> value) { return *value; };
  const FunctionRef<int(std::unique_ptr<int>)> function{take};
  EXPECT_EQ(function(std::make_unique<int>(7)), 7);
}

}  // namespace
}  // namespace turnpike
