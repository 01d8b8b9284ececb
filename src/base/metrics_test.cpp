#include "base/metrics.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace turnpike::metrics {
namespace {

TEST(Metrics, AreWrittenInTheTextFormat) {
  Registry registry;
  registry.gauge("turnpike_allocations_active", "Allocations that exist now.").set(3);
  EXPECT_EQ(registry.serialise(),
            "# HELP turnpike_allocations_active Allocations that exist now.\n"
            "# TYPE turnpike_allocations_active gauge\n"
            "turnpike_allocations_active 3\n");
}

TEST(Metrics, AreOrderedByNameAndLabels) {
  Registry registry;
  for (const char* reason : {"unknown_user", "expired", "bad_password"})
    registry.counter("turnpike_refusals_total", "Refused requests.", {{"reason", reason}}).add(2);
  registry.counter("turnpike_bytes_total", "Relayed bytes.").add(1200);
  EXPECT_EQ(registry.serialise(),
            "# HELP turnpike_bytes_total Relayed bytes.\n"
            "# TYPE turnpike_bytes_total counter\n"
            "turnpike_bytes_total 1200\n"
            "# HELP turnpike_refusals_total Refused requests.\n"
            "# TYPE turnpike_refusals_total counter\n"
            "turnpike_refusals_total{reason=\"bad_password\"} 2\n"
            "turnpike_refusals_total{reason=\"expired\"} 2\n"
            "turnpike_refusals_total{reason=\"unknown_user\"} 2\n");
}

TEST(Metrics, AreTheSameForTheSameNameAndLabels) {
  Registry registry;
  registry.counter("turnpike_x_total", "X.", {{"shard", "0"}}).add();
  registry.counter("turnpike_x_total", "X.", {{"shard", "0"}}).add();
  EXPECT_NE(registry.serialise().find("turnpike_x_total{shard=\"0\"} 2\n"), std::string::npos);
}

TEST(Metrics, EscapeLabelValues) {
  Registry registry;
  registry.gauge("turnpike_x", "X.", {{"realm", "a\"b\\c\nd"}}).set(1);
  EXPECT_NE(registry.serialise().find(R"(turnpike_x{realm="a\"b\\c\nd"} 1)"), std::string::npos);
}

TEST(Metrics, AskTheirSourcesAtEachCollection) {
  Registry registry;
  int scrapes = 0;
  registry.on_collect([&](Samples& samples) {
    ++scrapes;
    samples.gauge("turnpike_scrapes", "Scrapes.", {{"shard", "1"}}, scrapes);
    samples.counter("turnpike_packets_total", "Packets.", {}, 10.0 * scrapes);
  });
  EXPECT_NE(registry.serialise().find("turnpike_scrapes{shard=\"1\"} 1\n"), std::string::npos);
  EXPECT_NE(registry.serialise().find("turnpike_packets_total 20\n"), std::string::npos);
}

TEST(Metrics, JoinSamplesOfOneNameUnderOneHead) {
  Registry registry;
  registry.gauge("turnpike_x", "X.", {{"shard", "1"}}).set(1);
  registry.on_collect([](Samples& samples) { samples.gauge("turnpike_x", "X.", {{"shard", "0"}}, 4); });
  EXPECT_EQ(registry.serialise(),
            "# HELP turnpike_x X.\n# TYPE turnpike_x gauge\nturnpike_x{shard=\"0\"} "
            "4\nturnpike_x{shard=\"1\"} 1\n");
}

TEST(Metrics, CountFromSeveralThreads) {
  Registry registry;
  auto count = [&] {
    Counter counter = registry.counter("turnpike_x_total", "X.");
    for (int i = 0; i < 1000; ++i) counter.add();
  };
  {
    const std::jthread one{count};
    const std::jthread two{count};
  }
  EXPECT_NE(registry.serialise().find("turnpike_x_total 2000\n"), std::string::npos);
}

TEST(MetricsDeath, NamesThatSpoilTheExpositionAreOurBug) {
  Registry registry;
  registry.gauge("turnpike_x", "X.");
  EXPECT_DEATH(registry.gauge("allocations", "No prefix."), "turnpike_in_snake_case");
  EXPECT_DEATH(registry.counter("turnpike_packets", "No suffix."), "_total");
  EXPECT_DEATH(registry.gauge("turnpike_x", "Another help text."), "one help text");
  EXPECT_DEATH(registry.gauge("turnpike_y", "Y.", {{"Shard", "1"}}), "label");
}

}  // namespace
}  // namespace turnpike::metrics
