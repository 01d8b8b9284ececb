// What the options of bench-sip become; what it does is tested with src/client.
#include "program/bench_sip_command.hpp"

#include <gtest/gtest.h>

namespace turnpike::program {
namespace {

std::string complaint(const BenchSipOptions& options) {
  const auto settings = make_bench_sip_settings(options);
  return settings ? "no complaint" : settings.error();
}

TEST(BenchSipCommand, TellsNoPasswordInClearToAnotherMachine) {
  BenchSipOptions options;
  options.mode = "refresh";
  options.server = "ws://127.0.0.1:8080";
  options.password = "secret";
  EXPECT_EQ(complaint(options), "no complaint");
  options.server = "ws://localhost:8080";
  EXPECT_EQ(complaint(options), "no complaint");
  options.server = "wss://192.0.2.1";
  EXPECT_EQ(complaint(options), "no complaint");
  options.server = "ws://192.0.2.1:8080";
  EXPECT_TRUE(
      complaint(options).starts_with("--server: \"ws://192.0.2.1:8080\" would be told the login in clear"))
      << complaint(options);
  options.allow_cleartext = true;
  EXPECT_EQ(complaint(options), "no complaint");
}

}  // namespace
}  // namespace turnpike::program
