// How much memory an allocation costs, counted by the allocator. Not under sanitizers, which bring their own.

#include <gtest/gtest.h>

#include <malloc.h>

#include "turn/allocation.hpp"
#include "turn/engine_world.hpp"

namespace turnpike::turn::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_countable = false;
#elif defined(__has_feature)
constexpr bool is_countable = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool is_countable = true;
#endif

std::size_t bytes_in_use() { return mallinfo2().uordblks; }

SocketAddress address_of(std::uint32_t i) {
  return {IpAddress::v4({198, 18, static_cast<Byte>(i >> 8), static_cast<Byte>(i)}), 40000};
}

TEST(AllocationMemory, IsSmallAndGivenBack) {
  constexpr std::uint32_t count = 10000;
  Settings settings = plain_settings();
  settings.limits.allocations_per_subject = count + 1;
  World world{settings};
  Caller{world}.allocate();  // what is allocated once
  const std::size_t before = bytes_in_use();
  for (std::uint32_t i = 0; i < count; ++i) {
    Caller caller{world, address_of(i)};
    caller.allocate();
    ASSERT_TRUE(caller.bind(0x4000, peer)->is_success());
    world.take_reports<AllocationCreated>();
  }
  world.asked_ports = {};
  const std::size_t shell = count * (sizeof(void*) * 6 + 16);  // this world's own map of open ports
  const std::size_t used = bytes_in_use() - before - shell;
  // With the quota's entry for each source address. The grant, 400 bytes at most, is shared here.
  if (is_countable) {
    EXPECT_LT(used / count, 480U);
  }

  for (std::uint32_t i = 0; i < count; ++i) {
    Caller caller{world, address_of(i)};
    caller.refresh(0);
    world.take_reports<AllocationEnded>();
  }
  world.pass(seconds{600});
  EXPECT_EQ(world.engine.counters().allocations_active, 0U);
  const std::size_t left = bytes_in_use();
  // The indexes keep their size for the next rush.
  if (is_countable) {
    EXPECT_LT((left > before ? left - before : 0) / count, 64U);
  }
}

TEST(AllocationMemory, IsWhatItsHeaderSays) { EXPECT_LE(sizeof(Allocation), 256U); }

}  // namespace
}  // namespace turnpike::turn::test
