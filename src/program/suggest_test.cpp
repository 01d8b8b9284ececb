#include "program/suggest.hpp"

#include <gtest/gtest.h>

namespace turnpike::program {
namespace {

const std::vector<std::string> words{"realm", "relay_addresses", "relay_ports", "listen"};

TEST(Suggest, FindsTheWordThatIsNear) {
  EXPECT_EQ(did_you_mean("realmm", words), "; did you mean \"realm\"?");
  EXPECT_EQ(did_you_mean("relay_adresses", words), "; did you mean \"relay_addresses\"?");
  EXPECT_EQ(did_you_mean("lisetn", words), "; did you mean \"listen\"?");
}

TEST(Suggest, FindsTheLongerFormOfABeginning) {
  EXPECT_EQ(did_you_mean("relay_po", words), "; did you mean \"relay_ports\"?");
}

TEST(Suggest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(did_you_mean("certificate", words), "");
  EXPECT_EQ(did_you_mean("x", words), "");
  EXPECT_EQ(did_you_mean("realm", {}), "");
}

}  // namespace
}  // namespace turnpike::program
