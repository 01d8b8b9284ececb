// Random messages of all attributes come back as they were written, and their padding is zero.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/random.hpp"
#include "stun/test_messages.hpp"

namespace turnpike::stun {
namespace {

using Check = std::function<void(const Message&)>;
// Adds one attribute with a random value and tells how to see it again.
using Kind = std::function<Check(SeededRandom&, Writer&)>;

ByteVector random_bytes(SeededRandom& random, std::size_t size) {
  ByteVector bytes(size);
  random.fill(bytes);
  return bytes;
}

std::string random_text(SeededRandom& random, std::uint32_t size_max) {
  std::string text;
  for (std::uint32_t left = random.below(size_max + 1); left > 0; --left)
    text += static_cast<char>(' ' + random.below(95));
  return text;
}

SocketAddress random_address(SeededRandom& random) {
  const auto port = static_cast<std::uint16_t>(random.next_u32());
  if (random.below(2) == 0) return {IpAddress::v4(random.draw<4>()), port};
  return {IpAddress::v6(random.draw<16>()), port};
}

AddressFamily random_family(SeededRandom& random) {
  return random.below(2) == 0 ? AddressFamily::ipv4 : AddressFamily::ipv6;
}

ErrorCode random_code(SeededRandom& random) { return static_cast<ErrorCode>(300 + random.below(400)); }

Kind bytes_kind(AttributeType type, std::uint32_t size_max) {
  return [=](SeededRandom& random, Writer& writer) -> Check {
    const ByteVector value = random_bytes(random, random.below(size_max + 1));
    writer.add(type, value);
    return [=](const Message& message) { EXPECT_TRUE(equal(*message.find(type), value)); };
  };
}

Kind text_kind(AttributeType type) {
  return [=](SeededRandom& random, Writer& writer) -> Check {
    const std::string value = random_text(random, 130);
    writer.add_text(type, value);
    return [=](const Message& message) { EXPECT_EQ(*message.text(type, 130), value); };
  };
}

Kind u32_kind(AttributeType type) {
  return [=](SeededRandom& random, Writer& writer) -> Check {
    const std::uint32_t value = random.next_u32();
    writer.add_u32(type, value);
    return [=](const Message& message) { EXPECT_EQ(*message.u32(type), value); };
  };
}

Kind address_kind(AttributeType type) {
  return [=](SeededRandom& random, Writer& writer) -> Check {
    const SocketAddress value = random_address(random);
    writer.add_address(type, value);
    return [=](const Message& message) { EXPECT_EQ(*message.address(type), value); };
  };
}

Kind xor_address_kind(AttributeType type) {
  return [=](SeededRandom& random, Writer& writer) -> Check {
    const SocketAddress value = random_address(random);
    writer.add_xor_address(type, value);
    return [=](const Message& message) { EXPECT_EQ(*message.xor_address(type), value); };
  };
}

Kind family_kind(AttributeType type) {
  return [=](SeededRandom& random, Writer& writer) -> Check {
    const AddressFamily value = random_family(random);
    writer.add_address_family(type, value);
    return [=](const Message& message) { EXPECT_EQ(*message.address_family(type), value); };
  };
}

Check add_channel_number(SeededRandom& random, Writer& writer) {
  const auto value = static_cast<std::uint16_t>(random.next_u32());
  writer.add_channel_number(value);
  return [=](const Message& message) { EXPECT_EQ(*message.channel_number(), value); };
}

Check add_requested_transport(SeededRandom& random, Writer& writer) {
  const auto value = static_cast<std::uint8_t>(random.next_u32());
  writer.add_requested_transport(value);
  return [=](const Message& message) { EXPECT_EQ(*message.requested_transport(), value); };
}

Check add_even_port(SeededRandom& random, Writer& writer) {
  const bool value = random.below(2) == 0;
  writer.add_even_port(value);
  return [=](const Message& message) { EXPECT_EQ(*message.even_port(), value); };
}

Check add_reservation_token(SeededRandom& random, Writer& writer) {
  const auto value = random.draw<8>();
  writer.add(AttributeType::reservation_token, value);
  return [=](const Message& message) { EXPECT_EQ(*message.reservation_token(), value); };
}

Check add_userhash(SeededRandom& random, Writer& writer) {
  const auto value = random.draw<32>();
  writer.add(AttributeType::userhash, value);
  return [=](const Message& message) { EXPECT_EQ(*message.userhash(), value); };
}

Check add_error(SeededRandom& random, Writer& writer) {
  const ErrorCode code = random_code(random);
  const std::string reason = random_text(random, 127);
  writer.add_error(code, reason);
  return [=](const Message& message) {
    EXPECT_EQ(message.error_code()->code, static_cast<std::uint16_t>(code));
    EXPECT_EQ(message.error_code()->reason, reason);
  };
}

Check add_address_error(SeededRandom& random, Writer& writer) {
  const AddressFamily family = random_family(random);
  const ErrorCode code = random_code(random);
  const std::string reason = random_text(random, 127);
  writer.add_address_error(family, code, reason);
  return [=](const Message& message) {
    EXPECT_EQ(message.address_error_code()->family, family);
    EXPECT_EQ(message.address_error_code()->code, static_cast<std::uint16_t>(code));
    EXPECT_EQ(message.address_error_code()->reason, reason);
  };
}

Check add_icmp(SeededRandom& random, Writer& writer) {
  const IcmpValue value{static_cast<std::uint8_t>(random.below(128)),
                        static_cast<std::uint16_t>(random.below(512)), random.next_u32()};
  writer.add_icmp(value);
  return [=](const Message& message) { EXPECT_EQ(*message.icmp(), value); };
}

Check add_password_algorithm(SeededRandom& random, Writer& writer) {
  const auto value = static_cast<PasswordAlgorithmValue>(1 + random.below(2));
  writer.add_password_algorithm(value);
  return [=](const Message& message) { EXPECT_EQ(*message.password_algorithm(), value); };
}

Check add_password_algorithms(SeededRandom& random, Writer& writer) {
  PasswordAlgorithmList value{.algorithms = {}, .count = 1 + random.below(8)};
  for (std::size_t i = 0; i < value.count; ++i)
    value.algorithms[i] = static_cast<std::uint16_t>(random.next_u32());
  writer.add_password_algorithms(value);
  return [=](const Message& message) { EXPECT_EQ(*message.password_algorithms(), value); };
}

Check add_unknown_attributes(SeededRandom& random, Writer& writer) {
  Message::Unknown value{.types = {}, .count = random.below(17)};
  ByteVector expected(2 * value.count);
  for (std::size_t i = 0; i < value.count; ++i) {
    value.types[i] = static_cast<std::uint16_t>(random.next_u32());
    store_big(expected.data() + 2 * i, value.types[i]);
  }
  writer.add_unknown_attributes(value);
  return [=](const Message& message) {
    EXPECT_TRUE(equal(*message.find(AttributeType::unknown_attributes), expected));
  };
}

// Each attribute type once, so that all of them can be found again.
std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds{add_channel_number,
                          add_requested_transport,
                          add_even_port,
                          add_reservation_token,
                          add_userhash,
                          add_error,
                          add_address_error,
                          add_icmp,
                          add_password_algorithm,
                          add_password_algorithms,
                          add_unknown_attributes,
                          bytes_kind(AttributeType::access_token, 200),
                          bytes_kind(AttributeType::mobility_ticket, 256),
                          bytes_kind(AttributeType::data, 1500),
                          bytes_kind(AttributeType::dont_fragment, 0),
                          bytes_kind(AttributeType::padding, 50)};
  for (const auto type :
       {AttributeType::username, AttributeType::realm, AttributeType::nonce, AttributeType::software,
        AttributeType::alternate_domain, AttributeType::third_party_authorization})
    kinds.push_back(text_kind(type));
  for (const auto type : {AttributeType::lifetime, AttributeType::connection_id, AttributeType::priority,
                          AttributeType::change_request})
    kinds.push_back(u32_kind(type));
  for (const auto type : {AttributeType::mapped_address, AttributeType::alternate_server,
                          AttributeType::response_origin, AttributeType::other_address})
    kinds.push_back(address_kind(type));
  for (const auto type : {AttributeType::xor_mapped_address, AttributeType::xor_relayed_address,
                          AttributeType::xor_peer_address})
    kinds.push_back(xor_address_kind(type));
  for (const auto type : {AttributeType::requested_address_family, AttributeType::additional_address_family})
    kinds.push_back(family_kind(type));
  return kinds;
}

// A walk of the test's own over the bytes, which trusts nothing of the decoder.
void expect_zero_padding(const ByteVector& bytes) {
  std::size_t at = header_size;
  while (at < bytes.size()) {
    const std::size_t end = at + 4 + load_big<std::uint16_t>(bytes.data() + at + 2);
    at = (end + 3) / 4 * 4;
    ASSERT_LE(at, bytes.size());
    for (std::size_t i = end; i < at; ++i) EXPECT_EQ(bytes[i], 0) << i;
  }
}

// What was read, written again.
ByteVector rewritten(const Message& message, Bytes key) {
  return test::written(
      [&](Writer& writer) {
        message.for_each([&](AttributeType type, Bytes value) {
          if (type == AttributeType::message_integrity)
            writer.add_integrity(key);
          else if (type == AttributeType::message_integrity_sha256)
            writer.add_integrity_sha256(key);
          else if (type == AttributeType::fingerprint)
            writer.add_fingerprint();
          else
            writer.add(type, value);
        });
      },
      message.method(), message.message_class(), message.transaction_id());
}

void check_one_message(SeededRandom& random, std::vector<Kind>& kinds) {
  for (std::size_t i = kinds.size(); i > 1; --i)
    std::swap(kinds[i - 1], kinds[random.below(static_cast<std::uint32_t>(i))]);
  const std::size_t count = random.below(static_cast<std::uint32_t>(kinds.size()) + 1);
  const ByteVector key = random_bytes(random, random.below(100));
  const auto method = static_cast<Method>(random.below(0x1000));
  const Class message_class =
      std::array{Class::request, Class::indication, Class::success, Class::error}[random.below(4)];
  const auto id = random.draw<sizeof(TransactionId)>();
  const std::uint32_t seals = random.below(8);

  std::vector<Check> checks;
  const ByteVector bytes = test::written(
      [&](Writer& writer) {
        for (std::size_t i = 0; i < count; ++i) checks.push_back(kinds[i](random, writer));
        if ((seals & 1) != 0) writer.add_integrity(key);
        if ((seals & 2) != 0) writer.add_integrity_sha256(key);
        if ((seals & 4) != 0) writer.add_fingerprint();
      },
      method, message_class, id);

  const Message message = test::read(bytes);
  EXPECT_EQ(message.method(), method);
  EXPECT_EQ(message.message_class(), message_class);
  EXPECT_EQ(message.transaction_id(), id);
  for (const Check& as_written : checks) as_written(message);
  EXPECT_EQ(message.verify_integrity(key), (seals & 1) != 0);
  EXPECT_EQ(message.verify_integrity_sha256(key), (seals & 2) != 0);
  EXPECT_EQ(message.verify_fingerprint(), (seals & 4) != 0);
  expect_zero_padding(bytes);
  EXPECT_EQ(rewritten(message, key), bytes);
}

TEST(RoundTrip, ReadsEveryRandomMessageAsItWasWritten) {
  auto kinds = all_kinds();
  for (std::uint64_t seed = 0; seed < 500 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random{seed};
    check_one_message(random, kinds);
  }
}

// Whatever a network does to a message, the decoder ends with a message or an error inside of its bytes.
TEST(RoundTrip, SurvivesEveryMutilation) {
  SeededRandom random{7};
  auto kinds = all_kinds();
  for (int i = 0; i < 500; ++i) {
    const ByteVector good = test::written([&](Writer& writer) {
      for (int n = 0; n < 5; ++n)
        kinds[random.below(static_cast<std::uint32_t>(kinds.size()))](random, writer);
    });
    ByteVector bytes(good.begin(), good.begin() + 1 + random.below(static_cast<std::uint32_t>(good.size())));
    for (std::uint32_t n = random.below(4); n > 0; --n)
      bytes[random.below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<Byte>(random.next_u32());
    const auto message = Message::decode(bytes);
    if (!message) continue;
    message->for_each([&](AttributeType, Bytes value) {
      EXPECT_GE(value.data(), bytes.data());
      EXPECT_LE(value.data() + value.size(), bytes.data() + bytes.size());
    });
  }
}

}  // namespace
}  // namespace turnpike::stun
