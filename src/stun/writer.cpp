#include <algorithm>

#include "base/check.hpp"
#include "base/crypto.hpp"
#include "stun/message.hpp"
#include "stun/wire.hpp"

namespace turnpike::stun {
namespace {

constexpr std::size_t body_max = 0xfffc;  // what the length field can say, in whole words

// RFC 8489 section 5: the two bits of the class lie between the bits of the method.
constexpr std::uint16_t type_of(Method method, Class message_class) {
  const auto bits = static_cast<unsigned>(method);
  return static_cast<std::uint16_t>((bits & 0xf80) << 2 | (bits & 0x070) << 1 | (bits & 0x00f) |
                                    static_cast<unsigned>(message_class));
}

// The first four bytes of ERROR-CODE (no family) and ADDRESS-ERROR-CODE.
std::array<Byte, 4> error_head(Byte family, ErrorCode code) {
  const auto number = static_cast<unsigned>(code);
  return {family, 0, static_cast<Byte>(number / 100), static_cast<Byte>(number % 100)};
}

}  // namespace

Writer::Writer(MutableBytes buffer, Method method, Class message_class, const TransactionId& transaction)
    : buffer_(buffer), transaction_(transaction) {
  if (buffer_.size() < header_size) {
    overflow_ = true;
    return;
  }
  store_big(buffer_.data(), type_of(method, message_class));
  store_big(buffer_.data() + 2, std::uint16_t{0});
  store_big(buffer_.data() + 4, magic_cookie);
  std::copy(transaction.begin(), transaction.end(), buffer_.begin() + 8);
  size_ = header_size;
}

// Writes the attribute's header when `buffered` more bytes fit, and makes the length count the whole
// attribute.
bool Writer::open(AttributeType type, std::size_t size, std::size_t buffered) {
  if (overflow_ || size > body_max || buffered > buffer_.size() - size_ ||
      size_ - header_size + attribute_header_size + padded(size) > body_max) {
    overflow_ = true;
    return false;
  }
  Byte* at = buffer_.data() + size_;
  store_big(at, static_cast<std::uint16_t>(type));
  store_big(at + 2, static_cast<std::uint16_t>(size));
  store_big(buffer_.data() + 2,
            static_cast<std::uint16_t>(size_ - header_size + attribute_header_size + padded(size)));
  size_ += buffered;
  return true;
}

// The value's bytes, to be filled; empty when they do not fit.
MutableBytes Writer::reserve(AttributeType type, std::size_t size) {
  const std::size_t value_at = size_ + attribute_header_size;
  if (!open(type, size, attribute_header_size + padded(size))) return {};
  // RFC 8489 section 14: padding bytes are sent as zero.
  std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(value_at + size),
            buffer_.begin() + static_cast<std::ptrdiff_t>(size_), Byte{0});
  return buffer_.subspan(value_at, size);
}

Writer& Writer::add(AttributeType type, Bytes value) {
  check(step_ == Step::attributes, "attributes come before integrity, fingerprint and data");
  const MutableBytes target = reserve(type, value.size());
  std::copy_n(value.begin(), target.size(), target.begin());
  return *this;
}

Writer& Writer::add_u32(AttributeType type, std::uint32_t value) {
  std::array<Byte, 4> bytes;
  store_big(bytes.data(), value);
  return add(type, bytes);
}

Writer& Writer::add_channel_number(std::uint16_t channel) {
  return add_u32(AttributeType::channel_number, std::uint32_t{channel} << 16);
}

Writer& Writer::add_address(AttributeType type, const SocketAddress& address) {
  std::array<Byte, 20> bytes{};
  bytes[1] = static_cast<Byte>(address.ip.family());
  store_big(bytes.data() + 2, address.port);
  const Bytes ip = address.ip.bytes();
  std::copy(ip.begin(), ip.end(), bytes.begin() + 4);
  return add(type, Bytes{bytes}.first(4 + ip.size()));
}

Writer& Writer::add_xor_address(AttributeType type, const SocketAddress& address) {
  return add_address(type, combine_with_transaction(address, transaction_));
}

Writer& Writer::add_requested_transport(std::uint8_t protocol) {
  return add_u32(AttributeType::requested_transport, std::uint32_t{protocol} << 24);
}

Writer& Writer::add_address_family(AttributeType type, AddressFamily family) {
  return add_u32(type, std::uint32_t{static_cast<std::uint8_t>(family)} << 24);
}

Writer& Writer::add_even_port(bool reserve_next) {
  const std::array<Byte, 1> bytes{reserve_next ? Byte{0x80} : Byte{0}};
  return add(AttributeType::even_port, bytes);
}

Writer& Writer::add_error(ErrorCode code, std::string_view reason) {
  return add_error_value(AttributeType::error_code, error_head(0, code), reason);
}

Writer& Writer::add_address_error(AddressFamily family, ErrorCode code, std::string_view reason) {
  return add_error_value(AttributeType::address_error_code, error_head(static_cast<Byte>(family), code),
                         reason);
}

Writer& Writer::add_error_value(AttributeType type, const std::array<Byte, 4>& head,
                                std::string_view reason) {
  std::array<Byte, 4 + reason_bytes_max> bytes;
  if (reason.size() > reason_bytes_max) {
    overflow_ = true;
    return *this;
  }
  std::copy(head.begin(), head.end(), bytes.begin());
  std::copy(reason.begin(), reason.end(), bytes.begin() + head.size());
  return add(type, Bytes{bytes}.first(head.size() + reason.size()));
}

// RFC 8656 section 18.13:
//
//    0                   1                   2                   3
//   |           Reserved            |  Type (7)   |    Code (9)     |
//   |                          Error Data                           |
Writer& Writer::add_icmp(const IcmpValue& icmp) {
  if (icmp.type > 0x7f || icmp.code > 0x1ff) {
    overflow_ = true;
    return *this;
  }
  std::array<Byte, 8> bytes{};
  store_big(bytes.data() + 2, static_cast<std::uint16_t>(icmp.type << 9 | icmp.code));
  store_big(bytes.data() + 4, icmp.error_data);
  return add(AttributeType::icmp, bytes);
}

Writer& Writer::add_password_algorithm(PasswordAlgorithmValue algorithm) {
  return add_u32(AttributeType::password_algorithm,
                 std::uint32_t{static_cast<std::uint16_t>(algorithm)} << 16);
}

Writer& Writer::add_password_algorithms(const PasswordAlgorithmList& algorithms) {
  std::array<Byte, 4 * std::tuple_size_v<decltype(algorithms.algorithms)>> bytes{};
  for (std::size_t i = 0; i < algorithms.count; ++i)
    store_big(bytes.data() + 4 * i, algorithms.algorithms[i]);  // no parameters: the other half stays zero
  return add(AttributeType::password_algorithms, Bytes{bytes}.first(4 * algorithms.count));
}

Writer& Writer::add_unknown_attributes(const Message::Unknown& unknown) {
  std::array<Byte, 2 * std::tuple_size_v<decltype(unknown.types)>> bytes;
  for (std::size_t i = 0; i < unknown.count; ++i) store_big(bytes.data() + 2 * i, unknown.types[i]);
  return add(AttributeType::unknown_attributes, Bytes{bytes}.first(2 * unknown.count));
}

Writer& Writer::add_data_header(std::size_t size) {
  check(step_ == Step::attributes, "data is the last attribute of a message without integrity");
  step_ = Step::data;
  open(AttributeType::data, size, attribute_header_size);
  return *this;
}

// Opens one of the attributes that cover all before it; gives what it covers, or nothing when it does not
// fit.
Bytes Writer::reserve_seal(Step step, AttributeType type, std::size_t size) {
  check(step_ < step, "integrity and fingerprint come in their order, each once");
  step_ = step;
  const std::size_t covered = size_;
  if (reserve(type, size).empty()) return {};
  return buffer_.first(covered);
}

Writer& Writer::add_integrity(Bytes key) {
  const Bytes covered = reserve_seal(Step::integrity, AttributeType::message_integrity, sizeof(crypto::Sha1));
  if (covered.empty()) return *this;
  const crypto::Sha1 digest = crypto::hmac_sha1(key, covered);
  std::copy(digest.begin(), digest.end(),
            buffer_.begin() + static_cast<std::ptrdiff_t>(size_ - digest.size()));
  return *this;
}

Writer& Writer::add_integrity_sha256(Bytes key) {
  const Bytes covered =
      reserve_seal(Step::integrity_sha256, AttributeType::message_integrity_sha256, sizeof(crypto::Sha256));
  if (covered.empty()) return *this;
  const crypto::Sha256 digest = crypto::hmac_sha256(key, covered);
  std::copy(digest.begin(), digest.end(),
            buffer_.begin() + static_cast<std::ptrdiff_t>(size_ - digest.size()));
  return *this;
}

Writer& Writer::add_fingerprint() {
  const Bytes covered = reserve_seal(Step::fingerprint, AttributeType::fingerprint, sizeof(std::uint32_t));
  if (covered.empty()) return *this;
  store_big(buffer_.data() + size_ - sizeof(std::uint32_t), crypto::crc32(covered) ^ fingerprint_mask);
  return *this;
}

std::optional<Bytes> Writer::finish() const {
  if (overflow_) return std::nullopt;
  return buffer_.first(size_);
}

}  // namespace turnpike::stun
