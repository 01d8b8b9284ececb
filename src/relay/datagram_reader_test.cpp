#include "relay/datagram_reader.hpp"

#include <gtest/gtest.h>

#include "relay/test_socket.hpp"

namespace turnpike::relay {
namespace {

FileDescriptor open_any(const SegmentOffload& offload = probe_segment_offload()) {
  auto opened = open_relay_port(address("127.0.0.1:0"), offload);
  check(opened.has_value());
  return std::move(*opened);
}

std::vector<std::string> datagrams_of(const Train& train) {
  std::vector<std::string> texts;
  train.for_each_datagram([&](Bytes datagram) { texts.emplace_back(as_text(datagram)); });
  return texts;
}

TEST(DatagramReader, ReadsWhatIsThereWithItsSender) {
  const FileDescriptor port = open_any();
  const TestSocket first, second;
  DatagramReader reader{4};
  EXPECT_EQ(reader.read(port.value(), 4), 0U);

  first.send_to(*local_address(port.value()), "one");
  second.send_to(*local_address(port.value()), "two");

  ASSERT_EQ(reader.read(port.value(), 4), 2U);
  EXPECT_EQ(as_text(reader.train(0).bytes), "one");
  EXPECT_EQ(reader.train(0).from->to_address(), first.local());
  EXPECT_EQ(as_text(reader.train(1).bytes), "two");
  EXPECT_EQ(reader.train(1).from->to_address(), second.local());
}

TEST(DatagramReader, KeepsWhatWasReadUntilItIsReleased) {
  const FileDescriptor port = open_any();
  const TestSocket sender;
  DatagramReader reader{2};
  sender.send_to(*local_address(port.value()), "one");
  ASSERT_EQ(reader.read(port.value(), 1), 1U);
  const Train one = reader.train(0);
  for (const char* text : {"two", "three"}) sender.send_to(*local_address(port.value()), text);

  ASSERT_EQ(reader.read(port.value(), 2), 1U);  // one buffer was left
  EXPECT_EQ(as_text(reader.train(0).bytes), "two");
  EXPECT_EQ(as_text(one.bytes), "one");
  EXPECT_EQ(reader.read(port.value(), 2), 0U);

  reader.release_all();
  ASSERT_EQ(reader.read(port.value(), 2), 1U);
  EXPECT_EQ(as_text(reader.train(0).bytes), "three");
}

TEST(DatagramReader, CutsTrainsWhoseLastDatagramIsShorter) {
  const FileDescriptor port = open_any();
  const TestSocket sender;
  DatagramReader reader{2};
  for (int round = 0; round < 3; ++round) {  // buffers are used again
    ASSERT_TRUE(sender.send_train_to(*local_address(port.value()), pattern(250), 100));
    sender.send_to(*local_address(port.value()), pattern(150));

    ASSERT_EQ(reader.read(port.value(), 2), 2U);
    EXPECT_EQ(
        datagrams_of(reader.train(0)),
        (std::vector{pattern(250).substr(0, 100), pattern(250).substr(100, 100), pattern(250).substr(200)}));
    EXPECT_EQ(datagrams_of(reader.train(1)), std::vector{pattern(150)});
    reader.release_all();
  }
}

TEST(DatagramReader, ReadsTheSameWithoutOffload) {
  const FileDescriptor port = open_any({});
  const TestSocket sender;
  DatagramReader reader{8};
  ASSERT_TRUE(sender.send_train_to(*local_address(port.value()), pattern(250), 100));

  ASSERT_EQ(reader.read(port.value(), 8), 3U);
  EXPECT_EQ(as_text(reader.train(2).bytes), pattern(250).substr(200));
}

TEST(DatagramReader, ReadsEmptyAndLargestDatagrams) {
  const FileDescriptor port = open_any();
  const TestSocket sender;
  DatagramReader reader{2};
  sender.send_to(*local_address(port.value()), "");
  sender.send_to(*local_address(port.value()), pattern(65507));

  ASSERT_EQ(reader.read(port.value(), 2), 2U);
  EXPECT_EQ(datagrams_of(reader.train(0)), std::vector<std::string>{""});
  EXPECT_EQ(datagrams_of(reader.train(1)), std::vector{pattern(65507)});
}

TEST(DatagramReader, ReadsOnBehindAnIcmpError) {
  const FileDescriptor port = open_any();
  const SocketAddress local = *local_address(port.value());
  const NativeAddress native{closed_address()};
  sendto(port.value(), "x", 1, 0, &native.any, native.size);
  const TestSocket sender;
  sender.send_to(local, "data");
  DatagramReader reader{2};

  ASSERT_EQ(reader.read(port.value(), 2), 1U);
  EXPECT_EQ(as_text(reader.train(0).bytes), "data");
}

}  // namespace
}  // namespace turnpike::relay
