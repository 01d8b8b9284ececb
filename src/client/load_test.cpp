#include "client/load.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "client/load_histogram.hpp"
#include "client/load_packet.hpp"
#include "client/load_process.hpp"
#include "client/tiny_relay.hpp"

namespace turnpike::client {
namespace {

// --- the histogram ----------------------------------------------------------------------------------------

TEST(LoadHistogram, HasNoPercentilesWithoutSamples) {
  const LoadHistogram histogram;
  EXPECT_EQ(histogram.percentile(0.5), 0u);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(LoadHistogram, IsExactForSmallValues) {
  LoadHistogram histogram;
  for (std::uint64_t value = 1; value <= 60; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile(0.5), 30u);
  EXPECT_EQ(histogram.percentile(1), 60u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 30.5);
}

TEST(LoadHistogram, TellsPercentilesWithinHalfAPercent) {
  LoadHistogram histogram;
  for (std::uint64_t value = 1; value <= 100'000; ++value) histogram.record(value * 1000);
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double wanted = share * 1e8;
    EXPECT_GE(static_cast<double>(histogram.percentile(share)), wanted * 0.999) << share;
    EXPECT_LE(static_cast<double>(histogram.percentile(share)), wanted * 1.005) << share;
  }
}

TEST(LoadHistogram, NeverExceedsTheLargestSample) {
  LoadHistogram histogram;
  histogram.record(1'000'001);
  EXPECT_EQ(histogram.percentile(0.99), 1'000'001u);
}

TEST(LoadHistogram, KeepsWhatIsBeyondItsLastBucket) {
  LoadHistogram histogram;
  histogram.record(UINT64_MAX / 2);
  histogram.record(1);
  EXPECT_EQ(histogram.samples(), 2u);
  EXPECT_EQ(histogram.percentile(0.5), 1u);
  EXPECT_EQ(histogram.max(), UINT64_MAX / 2);
}

TEST(LoadHistogram, TellsWhatEachOfItsBucketsHolds) {
  LoadHistogram histogram;
  for (const std::uint64_t value : {7u, 3u, 7u, 1'000'000u, 1'000'001u}) histogram.record(value);
  const auto buckets = histogram.buckets();
  ASSERT_EQ(buckets.size(), 3u);
  EXPECT_EQ(buckets[0].highest, 3u);
  EXPECT_EQ(buckets[0].samples, 1u);
  EXPECT_EQ(buckets[1].highest, 7u);
  EXPECT_EQ(buckets[1].samples, 2u);
  EXPECT_EQ(buckets[2].highest, 1'000'001u);
  EXPECT_EQ(buckets[2].samples, 2u);
}

// --- packets ----------------------------------------------------------------------------------------------

ByteVector packet_of(const LoadPacketForge& forge, const LoadPacket& packet) {
  ByteVector bytes(load_head_size);
  forge.write_head(packet, bytes.data());
  const Bytes body = forge.body_of(packet.sequence);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

TEST(LoadPacket, IsReadAsItWasWritten) {
  const LoadPacketForge forge{7, 160};
  const auto bytes = packet_of(forge, {.stream = 3, .sequence = 1'000'000, .sent_at_ns = 42});
  ASSERT_EQ(bytes.size(), 160u);
  const auto reading = forge.read(bytes);
  EXPECT_EQ(reading.verdict, LoadPacketForge::Verdict::intact);
  EXPECT_EQ(reading.packet.stream, 3u);
  EXPECT_EQ(reading.packet.sequence, 1'000'000u);
  EXPECT_EQ(reading.packet.sent_at_ns, 42u);
}

TEST(LoadPacket, ShowsEachWrongBit) {
  const LoadPacketForge forge{7, 48};
  const auto bytes = packet_of(forge, {.stream = 3, .sequence = 5, .sent_at_ns = 42});
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto wrong = bytes;
    wrong[bit / 8] ^= static_cast<Byte>(1u << (bit % 8));
    EXPECT_NE(forge.read(wrong).verdict, LoadPacketForge::Verdict::intact) << bit;
  }
}

TEST(LoadPacket, ShowsAWrongSize) {
  const LoadPacketForge forge{7, 48};
  auto bytes = packet_of(forge, {});
  bytes.pop_back();
  EXPECT_EQ(forge.read(bytes).verdict, LoadPacketForge::Verdict::corrupted);
  EXPECT_EQ(forge.read(Bytes{bytes}.first(8)).verdict, LoadPacketForge::Verdict::foreign);
}

TEST(LoadPacket, OfAnotherRunIsForeign) {
  const LoadPacketForge forge{7, 48};
  const LoadPacketForge other{8, 48};
  EXPECT_EQ(other.read(packet_of(forge, {})).verdict, LoadPacketForge::Verdict::foreign);
}

TEST(LoadArrivals, TakeEachNumberOnce) {
  LoadArrivals arrivals;
  for (const std::uint64_t sequence : {0u, 1u, 3u, 2u, 600u, 599u})
    EXPECT_EQ(arrivals.accept(sequence), LoadArrivals::Verdict::first) << sequence;
  for (const std::uint64_t sequence : {600u, 599u})
    EXPECT_EQ(arrivals.accept(sequence), LoadArrivals::Verdict::duplicate) << sequence;
  EXPECT_EQ(arrivals.accept(598), LoadArrivals::Verdict::first);
}

TEST(LoadArrivals, ForgetNothingWithinTheirWindow) {
  LoadArrivals arrivals;
  for (std::uint64_t sequence = 0; sequence < 2000; sequence += 2) arrivals.accept(sequence);
  for (std::uint64_t sequence = 1500; sequence < 2000; ++sequence)
    EXPECT_EQ(arrivals.accept(sequence) == LoadArrivals::Verdict::first, sequence % 2 == 1) << sequence;
}

TEST(LoadArrivals, JumpOverALongGap) {
  LoadArrivals arrivals;
  arrivals.accept(1);
  EXPECT_EQ(arrivals.accept(1'000'000'001), LoadArrivals::Verdict::first);
  EXPECT_EQ(arrivals.accept(1'000'000'000), LoadArrivals::Verdict::first);
  EXPECT_EQ(arrivals.accept(1'000'000'001), LoadArrivals::Verdict::duplicate);
}

// --- processes --------------------------------------------------------------------------------------------

TEST(ProcessUsage, ReadsTimesBehindANameWithSpacesAndBrackets) {
  const auto times = parse_stat("12 (a ) b) S 1 12 12 0 -1 4194560 100 0 0 0 351 2076 0 0 20 0 7 0 100 1000");
  ASSERT_TRUE(times.has_value());
  EXPECT_EQ(times->user_ticks, 351u);
  EXPECT_EQ(times->system_ticks, 2076u);
}

TEST(ProcessUsage, IsNothingForATextThatEndsEarly) {
  EXPECT_FALSE(parse_stat("12 (a) S 1 12").has_value());
  EXPECT_FALSE(parse_stat("").has_value());
  EXPECT_FALSE(parse_statm_resident_pages("").has_value());
  EXPECT_EQ(parse_statm_resident_pages("1000 250 30"), 250u);
}

TEST(ProcessUsage, OfThisProcessGrows) {
  const auto before = measure_process(::getpid());
  ASSERT_TRUE(before.has_value());
  EXPECT_GT(before->resident_bytes, 100'000u);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 1'000'000; ++i) sum += i * sum + 1;
  EXPECT_NE(sum, 0u);
  const auto after = measure_process(::getpid());
  ASSERT_TRUE(after.has_value());
  EXPECT_GT(after->cpu, before->cpu);
}

TEST(ProcessUsage, OfAProcessThatIsNotThereIsAnError) {
  const auto usage = measure_process(999'999'999);
  ASSERT_FALSE(usage.has_value());
  EXPECT_EQ(usage.error(), "process 999999999 is not there to be measured");
}

// --- settings and the whole -------------------------------------------------------------------------------

TEST(LoadSettings, KnowTheirPatternsByName) {
  for (const auto pattern : {LoadPattern::allocate, LoadPattern::churn, LoadPattern::voice,
                             LoadPattern::video, LoadPattern::flat, LoadPattern::trains})
    EXPECT_EQ(parse_load_pattern(to_string(pattern)), pattern);
  EXPECT_FALSE(parse_load_pattern("fax").has_value());
  for (const auto direction : {LoadDirection::up, LoadDirection::down, LoadDirection::both})
    EXPECT_EQ(parse_load_direction(to_string(direction)), direction);
}

LoadSettings settings_towards_nobody() {
  LoadSettings settings = make_load_settings(LoadPattern::voice);
  settings.server = {IpAddress::v4({127, 0, 0, 1}), 9};
  return settings;
}

TEST(LoadSettings, ThatMakeNoSenseAreRefusedInWords) {
  LoadSettings small = settings_towards_nobody();
  small.payload_bytes = 31;
  EXPECT_EQ(run_load(small).error(), "payload bytes: found 31, allowed 32 to 1400");
  LoadSettings narrow = settings_towards_nobody();
  narrow.segments = 8;
  EXPECT_EQ(run_load(narrow).error(), "the window must hold at least one train");
  LoadSettings nowhere = settings_towards_nobody();
  nowhere.server.port = 0;
  EXPECT_EQ(run_load(nowhere).error(), "the server needs an address and a port");
}

LoadSettings settings_towards(const TinyRelay& relay, LoadPattern pattern) {
  LoadSettings settings = make_load_settings(pattern);
  settings.server = *SocketAddress::parse(relay.uri().substr(std::string_view{"turn:"}.size()));
  settings.credential = turn::PasswordCredential{"alice", Secret::from_text("wonderland")};
  settings.flows = 1;
  settings.warm_up = std::chrono::milliseconds{10};
  settings.duration = std::chrono::milliseconds{60};
  return settings;
}

TEST(Load, CountsWhatGoesThroughARelay) {
  const TinyRelay relay{{}};
  LoadSettings settings = settings_towards(relay, LoadPattern::voice);
  settings.packets_per_second = 500;
  settings.direction = LoadDirection::up;
  settings.server_pid = ::getpid();
  const auto report = run_load(settings);
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_EQ(report->set_up.done, 1u);
  EXPECT_GT(report->traffic->up.sent, 0u);
  EXPECT_EQ(report->traffic->up.lost(), 0u);
  EXPECT_EQ(report->traffic->up.latency.samples, report->traffic->up.received);
  EXPECT_EQ(report->traffic->down.sent, 0u);
  EXPECT_EQ(report->traffic->corrupted + report->traffic->foreign, 0u);
  EXPECT_GT(report->traffic->server_cpu_us, 0);
  EXPECT_EQ(format_json(*report).find('\n'), std::string::npos);
}

TEST(Load, SeesIndicationsThatComeBackWithinItsWindow) {
  const TinyRelay relay{{}};
  LoadSettings settings = settings_towards(relay, LoadPattern::flat);
  settings.channels = false;
  settings.payload_bytes = 101;  // needs padding
  settings.direction = LoadDirection::both;
  const auto report = run_load(settings);
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_GT(report->traffic->up.received, 0u);
  EXPECT_GT(report->traffic->down.received, 0u);
  EXPECT_EQ(report->traffic->corrupted, 0u);
}

TEST(Load, SeesWhatARelayLoses) {
  const TinyRelay relay{{.loses_packets_to_peers = true}};
  LoadSettings settings = settings_towards(relay, LoadPattern::voice);
  settings.packets_per_second = 500;
  const auto report = run_load(settings);
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_EQ(report->traffic->up.received, 0u);
  EXPECT_EQ(report->traffic->up.lost(), report->traffic->up.sent);
  EXPECT_EQ(report->traffic->down.lost(), 0u);
  EXPECT_NEAR(report->traffic->loss, 0.5, 0.05);
}

TEST(Load, ChurnsThroughAllocations) {
  const TinyRelay relay{{}};
  LoadSettings settings = settings_towards(relay, LoadPattern::churn);
  settings.flows = 5;
  settings.concurrency = 1;
  const auto report = run_load(settings);
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_EQ(report->set_up.done, 5u);
  EXPECT_FALSE(report->deletion.has_value());
}

TEST(Load, SaysWhyNoAllocationStands) {
  const TinyRelay relay{{.allocate_error = 486}};
  const auto report = run_load(settings_towards(relay, LoadPattern::voice));
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error(), "no allocation could be set up; Allocate: refused with 486 (1)");
}

}  // namespace
}  // namespace turnpike::client
