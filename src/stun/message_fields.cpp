// The typed readers of Message: each knows one attribute's layout.

#include <algorithm>

#include "base/utf8.hpp"
#include "stun/message.hpp"
#include "stun/wire.hpp"

namespace turnpike::stun {
namespace {

std::optional<AddressFamily> to_family(Byte code) {
  if (code == static_cast<Byte>(AddressFamily::ipv4)) return AddressFamily::ipv4;
  if (code == static_cast<Byte>(AddressFamily::ipv6)) return AddressFamily::ipv6;
  return std::nullopt;
}

// RFC 8489 section 14.1: the first byte is ignored.
//
//    0                   1                   2                   3
//   |0 0 0 0 0 0 0 0|    Family     |           Port                |
//   |                 Address (4 or 16 bytes)                       |
std::optional<SocketAddress> to_address(Bytes value) {
  if (value.size() < 4) return std::nullopt;
  const auto family = to_family(value[1]);
  const auto port = load_big<std::uint16_t>(value.data() + 2);
  if (family == AddressFamily::ipv4 && value.size() == 8)
    return SocketAddress{IpAddress::v4({value[4], value[5], value[6], value[7]}), port};
  if (family == AddressFamily::ipv6 && value.size() == 20) {
    std::array<Byte, 16> bytes;
    std::copy_n(value.begin() + 4, bytes.size(), bytes.begin());
    return SocketAddress{IpAddress::v6(bytes), port};
  }
  return std::nullopt;
}

// The layout that ERROR-CODE and ADDRESS-ERROR-CODE share; ERROR-CODE reserves the family's byte.
//
//    0                   1                   2                   3
//   |    Family     |       Reserved          |Class|    Number     |
//   |      Reason Phrase (variable)
std::optional<ErrorValue> to_error(Bytes value) {
  if (value.size() < 4 || value.size() > 4 + reason_bytes_max) return std::nullopt;
  const int hundreds = value[2] & 0x07;
  const int number = value[3];
  if (hundreds < 3 || hundreds > 6 || number > 99) return std::nullopt;
  // The code decides what happens and the reason is for people: one that is no text is left out.
  std::string_view reason = as_text(value.subspan(4));
  if (!is_utf8(reason)) reason = {};
  return ErrorValue{static_cast<std::uint16_t>(hundreds * 100 + number), reason};
}

template <typename T>
Field<T> malformed_unless(const std::optional<T>& value) {
  return value ? Field<T>(*value) : Field<T>::malformed();
}

// RFC 8489 sections 18.5.1.1 and 18.5.1.2: the algorithms that we know have no parameters.
bool takes_parameters(std::uint16_t algorithm) {
  return algorithm != static_cast<std::uint16_t>(PasswordAlgorithmValue::md5) &&
         algorithm != static_cast<std::uint16_t>(PasswordAlgorithmValue::sha256);
}

// RFC 8489 section 14.11: (algorithm 16 bits, size of the parameters 16 bits, parameters, padding) for each.
std::optional<PasswordAlgorithmList> to_algorithms(Bytes value) {
  PasswordAlgorithmList list;
  while (!value.empty()) {
    if (value.size() < 4 || list.count == list.algorithms.size()) return std::nullopt;
    const auto algorithm = load_big<std::uint16_t>(value.data());
    const std::size_t size = load_big<std::uint16_t>(value.data() + 2);
    if (size > value.size() - 4 || (size != 0 && !takes_parameters(algorithm))) return std::nullopt;
    list.algorithms[list.count++] = algorithm;
    // The padding of the last parameters may be the attribute's own.
    value = value.subspan(std::min(4 + padded(size), value.size()));
  }
  if (list.count == 0) return std::nullopt;
  return list;
}

template <std::size_t size>
std::array<Byte, size> to_array(Bytes value) {
  std::array<Byte, size> array;
  std::copy_n(value.begin(), size, array.begin());
  return array;
}

}  // namespace

Field<std::string_view> Message::text(AttributeType type, std::size_t bytes_max) const {
  const auto value = find(type);
  if (!value) return Field<std::string_view>::absent();
  if (value->size() > bytes_max || !is_utf8(as_text(*value))) return Field<std::string_view>::malformed();
  return as_text(*value);
}

Field<std::uint32_t> Message::u32(AttributeType type) const {
  const auto value = find(type);
  if (!value) return Field<std::uint32_t>::absent();
  if (value->size() != 4) return Field<std::uint32_t>::malformed();
  return load_big<std::uint32_t>(value->data());
}

Field<std::uint16_t> Message::channel_number() const {
  const auto value = find(AttributeType::channel_number);
  if (!value) return Field<std::uint16_t>::absent();
  if (value->size() != 4) return Field<std::uint16_t>::malformed();
  return load_big<std::uint16_t>(value->data());
}

Field<SocketAddress> Message::address(AttributeType type) const {
  const auto value = find(type);
  if (!value) return Field<SocketAddress>::absent();
  return malformed_unless(to_address(*value));
}

Field<SocketAddress> Message::xor_address(AttributeType type) const {
  const auto value = find(type);
  if (!value) return Field<SocketAddress>::absent();
  return to_xor_address(*value);
}

Field<SocketAddress> Message::to_xor_address(Bytes value) const {
  const auto combined = to_address(value);
  if (!combined) return Field<SocketAddress>::malformed();
  return combine_with_transaction(*combined, transaction_id());
}

Field<std::uint8_t> Message::requested_transport() const {
  const auto value = find(AttributeType::requested_transport);
  if (!value) return Field<std::uint8_t>::absent();
  if (value->size() != 4) return Field<std::uint8_t>::malformed();
  return (*value)[0];
}

Field<AddressFamily> Message::address_family(AttributeType type) const {
  const auto value = find(type);
  if (!value) return Field<AddressFamily>::absent();
  if (value->size() != 4) return Field<AddressFamily>::malformed();
  return malformed_unless(to_family((*value)[0]));
}

Field<bool> Message::even_port() const {
  const auto value = find(AttributeType::even_port);
  if (!value) return Field<bool>::absent();
  if (value->size() != 1) return Field<bool>::malformed();
  return ((*value)[0] & 0x80) != 0;
}

Field<std::array<Byte, 8>> Message::reservation_token() const {
  const auto value = find(AttributeType::reservation_token);
  if (!value) return Field<std::array<Byte, 8>>::absent();
  if (value->size() != 8) return Field<std::array<Byte, 8>>::malformed();
  return to_array<8>(*value);
}

Field<std::array<Byte, 32>> Message::userhash() const {
  const auto value = find(AttributeType::userhash);
  if (!value) return Field<std::array<Byte, 32>>::absent();
  if (value->size() != 32) return Field<std::array<Byte, 32>>::malformed();
  return to_array<32>(*value);
}

Field<ErrorValue> Message::error_code() const {
  const auto value = find(AttributeType::error_code);
  if (!value) return Field<ErrorValue>::absent();
  return malformed_unless(to_error(*value));
}

Field<AddressErrorValue> Message::address_error_code() const {
  const auto value = find(AttributeType::address_error_code);
  if (!value) return Field<AddressErrorValue>::absent();
  const auto error = to_error(*value);
  if (!error) return Field<AddressErrorValue>::malformed();
  const auto family = to_family((*value)[0]);
  if (!family) return Field<AddressErrorValue>::malformed();
  return AddressErrorValue{*family, error->code, error->reason};
}

Field<IcmpValue> Message::icmp() const {
  const auto value = find(AttributeType::icmp);
  if (!value) return Field<IcmpValue>::absent();
  if (value->size() != 8) return Field<IcmpValue>::malformed();
  const auto type_and_code = load_big<std::uint16_t>(value->data() + 2);
  return IcmpValue{static_cast<std::uint8_t>(type_and_code >> 9),
                   static_cast<std::uint16_t>(type_and_code & 0x01ff),
                   load_big<std::uint32_t>(value->data() + 4)};
}

Field<PasswordAlgorithmValue> Message::password_algorithm() const {
  const auto value = find(AttributeType::password_algorithm);
  if (!value) return Field<PasswordAlgorithmValue>::absent();
  const auto list = to_algorithms(*value);
  if (!list || list->count != 1 || takes_parameters(list->algorithms[0]))
    return Field<PasswordAlgorithmValue>::malformed();
  return static_cast<PasswordAlgorithmValue>(list->algorithms[0]);
}

Field<PasswordAlgorithmList> Message::password_algorithms() const {
  const auto value = find(AttributeType::password_algorithms);
  if (!value) return Field<PasswordAlgorithmList>::absent();
  return malformed_unless(to_algorithms(*value));
}

}  // namespace turnpike::stun
