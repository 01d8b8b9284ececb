// Any datagram: the decoders stay inside of it, every reader can be asked, and what was read is what is read
// again after it was written.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "stun/channel_data.hpp"
#include "stun/message.hpp"
#include "target.hpp"

namespace turnpike::stun {
namespace {

using Attributes = std::vector<std::pair<AttributeType, ByteVector>>;

bool lies_within(Bytes part, Bytes whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

Attributes attributes_of(const Message& message) {
  Attributes attributes;
  message.for_each([&](AttributeType type, Bytes value) {
    check(lies_within(value, message.bytes()), "an attribute lies outside of its message");
    attributes.emplace_back(type, to_vector(value));
  });
  return attributes;
}

// The message that `fill` writes, with the header of `like`.
template <typename Fill>
ByteVector written_like(const Message& like, Fill fill) {
  ByteVector buffer(like.bytes().size() + 1024, Byte{0xee});
  Writer writer{buffer, like.method(), like.message_class(), like.transaction_id()};
  fill(writer);
  const auto bytes = writer.finish();
  check(bytes.has_value(), "what was read does not fit a message again");
  return to_vector(*bytes);
}

ByteVector with_zero_padding(Bytes datagram) {
  ByteVector bytes = to_vector(datagram);
  std::size_t at = header_size;
  while (at < bytes.size()) {
    const std::size_t end = at + 4 + load_big<std::uint16_t>(bytes.data() + at + 2);
    at = (end + 3) / 4 * 4;
    for (std::size_t i = end; i < at; ++i) bytes[i] = 0;
  }
  return bytes;
}

void check_rewriting(const Message& message, const Attributes& attributes) {
  const ByteVector bytes = written_like(message, [&](Writer& writer) {
    for (const auto& [type, value] : attributes) writer.add(type, value);
  });
  const auto again = Message::decode(bytes);
  check(again.has_value(), "what was written does not decode");
  check(attributes_of(*again) == attributes, "the attributes changed by writing them");
  // Nothing was ignored when nothing is missing.
  if (bytes.size() == message.bytes().size())
    check(bytes == with_zero_padding(message.bytes()), "the bytes changed by writing them");
}

// Reads a typed value and, where it is present, writes it by `add` and reads it from there again.
template <typename Read, typename Add>
void check_field(const Message& message, Read read, Add add) {
  const auto field = read(message);
  check(field.is_absent() + field.is_malformed() + static_cast<bool>(field) == 1, "a field has one state");
  if (!field) return;
  const ByteVector bytes = written_like(message, [&](Writer& writer) { add(writer, *field); });
  const auto again = Message::decode(bytes);
  check(again.has_value(), "a typed attribute does not decode");
  const auto same = read(*again);
  check(static_cast<bool>(same), "a typed attribute is not read again");
  check(written_like(*again, [&](Writer& writer) { add(writer, *same); }) == bytes, "a typed value changed");
}

void check_numbers(const Message& message) {
  for (const auto type : {AttributeType::lifetime, AttributeType::connection_id, AttributeType::priority})
    check_field(
        message, [=](const Message& from) { return from.u32(type); },
        [=](Writer& writer, std::uint32_t value) { writer.add_u32(type, value); });
  check_field(
      message, [](const Message& from) { return from.channel_number(); },
      [](Writer& writer, std::uint16_t value) { writer.add_channel_number(value); });
  check_field(
      message, [](const Message& from) { return from.requested_transport(); },
      [](Writer& writer, std::uint8_t value) { writer.add_requested_transport(value); });
  check_field(
      message, [](const Message& from) { return from.even_port(); },
      [](Writer& writer, bool value) { writer.add_even_port(value); });
  check_field(
      message, [](const Message& from) { return from.icmp(); },
      [](Writer& writer, const IcmpValue& value) { writer.add_icmp(value); });
}

void check_addresses(const Message& message) {
  for (const auto type :
       {AttributeType::mapped_address, AttributeType::alternate_server, AttributeType::response_origin})
    check_field(
        message, [=](const Message& from) { return from.address(type); },
        [=](Writer& writer, const SocketAddress& value) { writer.add_address(type, value); });
  for (const auto type : {AttributeType::xor_mapped_address, AttributeType::xor_relayed_address,
                          AttributeType::xor_peer_address})
    check_field(
        message, [=](const Message& from) { return from.xor_address(type); },
        [=](Writer& writer, const SocketAddress& value) { writer.add_xor_address(type, value); });
  for (const auto type : {AttributeType::requested_address_family, AttributeType::additional_address_family})
    check_field(
        message, [=](const Message& from) { return from.address_family(type); },
        [=](Writer& writer, AddressFamily value) { writer.add_address_family(type, value); });
}

void check_texts(const Message& message) {
  for (const auto type : {AttributeType::username, AttributeType::realm, AttributeType::nonce,
                          AttributeType::software, AttributeType::third_party_authorization})
    check_field(
        message, [=](const Message& from) { return from.text(type, 763); },
        [=](Writer& writer, std::string_view value) { writer.add_text(type, value); });
  check_field(
      message, [](const Message& from) { return from.error_code(); },
      [](Writer& writer, const ErrorValue& value) {
        writer.add_error(static_cast<ErrorCode>(value.code), value.reason);
      });
  check_field(
      message, [](const Message& from) { return from.address_error_code(); },
      [](Writer& writer, const AddressErrorValue& value) {
        writer.add_address_error(value.family, static_cast<ErrorCode>(value.code), value.reason);
      });
}

void check_credentials(const Message& message) {
  check_field(
      message, [](const Message& from) { return from.reservation_token(); },
      [](Writer& writer, Bytes value) { writer.add(AttributeType::reservation_token, value); });
  check_field(
      message, [](const Message& from) { return from.userhash(); },
      [](Writer& writer, Bytes value) { writer.add(AttributeType::userhash, value); });
  check_field(
      message, [](const Message& from) { return from.password_algorithm(); },
      [](Writer& writer, PasswordAlgorithmValue value) { writer.add_password_algorithm(value); });
  check_field(
      message, [](const Message& from) { return from.password_algorithms(); },
      [](Writer& writer, const PasswordAlgorithmList& value) { writer.add_password_algorithms(value); });
}

bool is_seal(AttributeType type) {
  return type == AttributeType::message_integrity || type == AttributeType::message_integrity_sha256 ||
         type == AttributeType::fingerprint;
}

// A message of the same attributes that we sign holds, and holds no more after a change of its last bit.
void check_integrity(const Message& message, const Attributes& attributes, Bytes key) {
  // Whether they hold is the input's affair; that they can be asked is ours.
  static_cast<void>(message.verify_integrity(key));
  static_cast<void>(message.verify_integrity_sha256(key));
  static_cast<void>(message.verify_fingerprint());
  const bool is_full = std::count_if(attributes.begin(), attributes.end(),
                                     [](const auto& attribute) { return !is_seal(attribute.first); }) +
                           3 >
                       static_cast<std::ptrdiff_t>(attributes_max);
  if (is_full || message.bytes().size() > 60000) return;
  ByteVector bytes = written_like(message, [&](Writer& writer) {
    for (const auto& [type, value] : attributes)
      if (!is_seal(type)) writer.add(type, value);
    writer.add_integrity(key).add_integrity_sha256(key).add_fingerprint();
  });
  const auto sealed = Message::decode(bytes);
  check(sealed && sealed->verify_integrity(key), "our own MESSAGE-INTEGRITY does not hold");
  check(sealed->verify_integrity_sha256(key), "our own MESSAGE-INTEGRITY-SHA256 does not hold");
  check(sealed->verify_fingerprint(), "our own FINGERPRINT does not hold");
  bytes.back() ^= 1;
  check(!sealed->verify_fingerprint(), "a wrong FINGERPRINT holds");
}

void check_unknown(const Message& message) {
  const auto unknown = message.unknown_required([](AttributeType type) { return is_seal(type); });
  check(unknown.count <= unknown.types.size());
  for (std::size_t i = 0; i < unknown.count; ++i) {
    const auto type = static_cast<AttributeType>(unknown.types[i]);
    check(is_comprehension_required(type) && message.has(type) && !is_seal(type), "an unknown type is none");
    check(std::count(unknown.types.begin(), unknown.types.begin() + static_cast<std::ptrdiff_t>(i),
                     unknown.types[i]) == 0,
          "an unknown type is told twice");
  }
  written_like(message, [&](Writer& writer) { writer.add_unknown_attributes(unknown); });
}

void check_message(const Message& message, Bytes datagram) {
  check(message.bytes().data() == datagram.data() && message.bytes().size() == datagram.size());
  const Attributes attributes = attributes_of(message);
  for (const auto& [type, value] : attributes) {
    check(message.has(type), "a visited attribute is not found");
    check(!message.to_xor_address(value).is_absent(), "a given value is not absent");
  }
  check_rewriting(message, attributes);
  check_numbers(message);
  check_addresses(message);
  check_texts(message);
  check_credentials(message);
  check_integrity(message, attributes, datagram.first(header_size));
  check_unknown(message);
}

void check_channel_data(const ChannelData& data, Bytes datagram) {
  check(looks_like_channel_data(datagram[0]), "a channel's first byte is in its range");
  check(lies_within(data.payload, datagram), "a payload lies outside of its datagram");
  const auto header = encode_channel_header(data.channel, data.payload.size());
  check(equal(header, datagram.first(channel_header_size)), "a channel header changed");
}

}  // namespace
}  // namespace turnpike::stun

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike::stun;
  const turnpike::Bytes datagram{data, size};
  const auto message = Message::decode(datagram);
  const auto channel_data = decode_channel_data(datagram);
  turnpike::check(!message || !channel_data, "a datagram is STUN or ChannelData");
  if (message) check_message(*message, datagram);
  if (channel_data) check_channel_data(*channel_data, datagram);
  return 0;
}
