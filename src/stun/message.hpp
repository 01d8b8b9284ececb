#pragma once
// The STUN wire format: RFC 8489 (messages, integrity, fingerprint), RFC 8656 (TURN attributes),
// RFC 7635 (ACCESS-TOKEN, THIRD-PARTY-AUTHORIZATION), RFC 8016 (MOBILITY-TICKET).
// Message is a view: decoding allocates nothing and the datagram must outlive it. Knows bytes only:
// no credentials, no allocations, no time.

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <utility>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/function_ref.hpp"
#include "stun/attribute.hpp"

namespace turnpike::stun {

inline constexpr std::size_t header_size = 20;
inline constexpr std::uint32_t magic_cookie = 0x2112a442;
inline constexpr std::size_t attributes_max = 48;  // per message; more are refused as malformed

enum class Method : std::uint16_t {
  binding = 0x001,
  allocate = 0x003,
  refresh = 0x004,
  send = 0x006,
  data = 0x007,
  create_permission = 0x008,
  channel_bind = 0x009,
  connect = 0x00a,
  connection_bind = 0x00b,
  connection_attempt = 0x00c,
};

enum class Class : std::uint16_t { request = 0x000, indication = 0x010, success = 0x100, error = 0x110 };

using TransactionId = std::array<Byte, 12>;

enum class DecodeError : std::uint8_t {
  too_short,          // fewer bytes than a header
  not_stun,           // the two top bits or the magic cookie are wrong
  wrong_length,       // the length field does not end where the datagram ends, or is no multiple of 4
  attribute_overrun,  // an attribute reaches beyond the message
  too_many_attributes,
};
std::string_view to_string(DecodeError error);

// The value of an attribute that may be absent or have a wrong size or content.
template <typename T>
class Field {
 public:
  static Field absent() { return Field{State::absent, T{}}; }
  static Field malformed() { return Field{State::malformed, T{}}; }
  Field(T value) : state_(State::present), value_(std::move(value)) {}
  [[nodiscard]] bool is_absent() const { return state_ == State::absent; }
  [[nodiscard]] bool is_malformed() const { return state_ == State::malformed; }
  explicit operator bool() const { return state_ == State::present; }
  const T& operator*() const { return value_; }
  const T* operator->() const { return &value_; }

 private:
  enum class State : std::uint8_t { absent, malformed, present };
  Field(State state, T value) : state_(state), value_(std::move(value)) {}
  State state_;
  T value_;
};

class Message {
  // Only decode() makes messages; it fills one in its place, for a message is too large to move around.
  struct Blank {
    explicit Blank() = default;
  };

 public:
  explicit Message(Blank) {}
  // The datagram must be exactly one message.
  [[nodiscard]] static std::expected<Message, DecodeError> decode(Bytes datagram);

  [[nodiscard]] Method method() const { return method_; }
  [[nodiscard]] Class message_class() const { return class_; }
  [[nodiscard]] TransactionId transaction_id() const;
  [[nodiscard]] Bytes bytes() const { return datagram_; }

  // The first attribute of the type that counts: RFC 8489 section 14.5 takes out what follows
  // MESSAGE-INTEGRITY, but MESSAGE-INTEGRITY-SHA256 and FINGERPRINT.
  [[nodiscard]] std::optional<Bytes> find(AttributeType type) const;
  [[nodiscard]] bool has(AttributeType type) const { return find(type).has_value(); }
  // Every occurrence that counts, in order.
  void for_each(FunctionRef<void(AttributeType, Bytes)> visit) const;
  // Comprehension-required types outside of `understood`, each once, in order, at most 16.
  struct Unknown {
    std::array<std::uint16_t, 16> types{};
    std::size_t count = 0;
  };
  [[nodiscard]] Unknown unknown_required(FunctionRef<bool(AttributeType)> understood) const;

  // Typed readers; malformed when the size or the content is wrong for the type.
  [[nodiscard]] Field<std::string_view> text(AttributeType type, std::size_t bytes_max) const;
  [[nodiscard]] Field<std::uint32_t> u32(AttributeType type) const;      // LIFETIME, CONNECTION-ID
  [[nodiscard]] Field<std::uint16_t> channel_number() const;             // of any range
  [[nodiscard]] Field<SocketAddress> address(AttributeType type) const;  // MAPPED-ADDRESS, ALTERNATE-SERVER
  [[nodiscard]] Field<SocketAddress> xor_address(AttributeType type) const;
  [[nodiscard]] Field<SocketAddress> to_xor_address(Bytes value) const;         // one occurrence of for_each
  [[nodiscard]] Field<std::uint8_t> requested_transport() const;                // the IANA protocol number
  [[nodiscard]] Field<AddressFamily> address_family(AttributeType type) const;  // REQUESTED-, ADDITIONAL-
  [[nodiscard]] Field<bool> even_port() const;                                  // the R bit
  [[nodiscard]] Field<std::array<Byte, 8>> reservation_token() const;
  [[nodiscard]] Field<std::array<Byte, 32>> userhash() const;
  [[nodiscard]] Field<ErrorValue> error_code() const;
  [[nodiscard]] Field<AddressErrorValue> address_error_code() const;
  [[nodiscard]] Field<IcmpValue> icmp() const;
  [[nodiscard]] Field<PasswordAlgorithmValue> password_algorithm() const;
  [[nodiscard]] Field<PasswordAlgorithmList> password_algorithms() const;

  // Integrity over this message as received. False also when the attribute is absent or has a wrong size.
  [[nodiscard]] bool verify_integrity(Bytes key) const;         // MESSAGE-INTEGRITY, HMAC-SHA1
  [[nodiscard]] bool verify_integrity_sha256(Bytes key) const;  // MESSAGE-INTEGRITY-SHA256, all 32 bytes
  [[nodiscard]] bool verify_fingerprint() const;

 private:
  struct Entry {
    std::uint16_t type;
    std::uint16_t offset;  // of the value, from the end of the header
    std::uint16_t size;    // of the value, unpadded
  };
  std::optional<DecodeError> read(Bytes datagram);
  std::optional<DecodeError> read_attributes();
  [[nodiscard]] const Entry* find_entry(AttributeType type) const;
  [[nodiscard]] Bytes value_of(const Entry& entry) const;

  Bytes datagram_;
  Method method_{};
  Class class_{};
  std::uint8_t count_ = 0;
  std::array<Entry, attributes_max> entries_;
};

// Writes one message into the caller's buffer. When the buffer is too small, or a value does not fit its
// attribute, finish() returns nothing.
class Writer {
 public:
  Writer(MutableBytes buffer, Method method, Class message_class, const TransactionId& transaction);

  Writer& add(AttributeType type, Bytes value);  // padding bytes are zero
  Writer& add_text(AttributeType type, std::string_view text) { return add(type, as_bytes(text)); }
  Writer& add_u32(AttributeType type, std::uint32_t value);
  Writer& add_channel_number(std::uint16_t channel);
  Writer& add_address(AttributeType type, const SocketAddress& address);
  Writer& add_xor_address(AttributeType type, const SocketAddress& address);
  Writer& add_requested_transport(std::uint8_t protocol);
  Writer& add_address_family(AttributeType type, AddressFamily family);
  Writer& add_even_port(bool reserve_next);
  Writer& add_error(ErrorCode code, std::string_view reason = {});
  Writer& add_address_error(AddressFamily family, ErrorCode code, std::string_view reason = {});
  Writer& add_icmp(const IcmpValue& icmp);
  Writer& add_password_algorithm(PasswordAlgorithmValue algorithm);
  Writer& add_password_algorithms(const PasswordAlgorithmList& algorithms);
  Writer& add_unknown_attributes(const Message::Unknown& unknown);
  // Opens DATA as the last attribute and leaves its bytes to the caller, who sends `size` bytes and zero
  // padding behind finish(): the header's length already counts them.
  Writer& add_data_header(std::size_t size);

  // In this order, each at most once, after all other attributes.
  Writer& add_integrity(Bytes key);
  Writer& add_integrity_sha256(Bytes key);
  Writer& add_fingerprint();

  [[nodiscard]] std::optional<Bytes> finish() const;

 private:
  // What may still follow: each step closes the message for what comes before it.
  enum class Step : std::uint8_t { attributes, integrity, integrity_sha256, fingerprint, data };

  MutableBytes reserve(AttributeType type, std::size_t size);
  Writer& add_error_value(AttributeType type, const std::array<Byte, 4>& head, std::string_view reason);
  Bytes reserve_seal(Step step, AttributeType type, std::size_t size);
  bool open(AttributeType type, std::size_t size, std::size_t buffered);

  MutableBytes buffer_;
  std::size_t size_ = 0;
  bool overflow_ = false;
  Step step_ = Step::attributes;
  TransactionId transaction_{};
};

}  // namespace turnpike::stun
