#include "stun/message.hpp"

#include <algorithm>

#include "base/crypto.hpp"
#include "stun/wire.hpp"

namespace turnpike::stun {
namespace {

// RFC 8489 section 5: the two bits of the class lie between the bits of the method.
constexpr Method method_of(std::uint16_t type) {
  return static_cast<Method>((type & 0x3e00) >> 2 | (type & 0x00e0) >> 1 | (type & 0x000f));
}
constexpr Class class_of(std::uint16_t type) { return static_cast<Class>(type & 0x0110); }

// RFC 8489 section 14.5 and 14.6: after MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT
// count, after MESSAGE-INTEGRITY-SHA256 only FINGERPRINT.
class IntegrityCut {
 public:
  bool admits(AttributeType type) {
    if (type == AttributeType::fingerprint) return true;
    if (cut_ == Cut::after_sha256) return false;
    if (type == AttributeType::message_integrity_sha256) {
      cut_ = Cut::after_sha256;
      return true;
    }
    if (cut_ == Cut::after_sha1) return false;
    if (type == AttributeType::message_integrity) cut_ = Cut::after_sha1;
    return true;
  }

 private:
  enum class Cut : std::uint8_t { none, after_sha1, after_sha256 };
  Cut cut_ = Cut::none;
};

// The header as it was when the sender computed the attribute: its length ends with the attribute's value.
std::array<Byte, header_size> header_up_to(Bytes datagram, std::size_t value_end) {
  std::array<Byte, header_size> header;
  std::copy_n(datagram.begin(), header_size, header.begin());
  store_big(header.data() + 2, static_cast<std::uint16_t>(value_end));
  return header;
}

}  // namespace

std::string_view to_string(DecodeError error) {
  switch (error) {
    case DecodeError::too_short:
      return "too short";
    case DecodeError::not_stun:
      return "not STUN";
    case DecodeError::wrong_length:
      return "wrong length";
    case DecodeError::attribute_overrun:
      return "attribute overrun";
    case DecodeError::too_many_attributes:
      return "too many attributes";
  }
  return "";
}

std::expected<Message, DecodeError> Message::decode(Bytes datagram) {
  std::expected<Message, DecodeError> message{std::in_place, Blank{}};
  if (const auto error = message->read(datagram)) message = std::unexpected(*error);
  return message;
}

std::optional<DecodeError> Message::read(Bytes datagram) {
  if (datagram.size() < header_size) return DecodeError::too_short;
  const auto type = load_big<std::uint16_t>(datagram.data());
  const auto cookie = load_big<std::uint32_t>(datagram.data() + 4);
  // RFC 8489 section 6.3: the two top bits are zero and the cookie is there; what came before RFC 5389 is not
  // spoken.
  if ((type & 0xc000) != 0 || cookie != magic_cookie) return DecodeError::not_stun;
  const auto length = load_big<std::uint16_t>(datagram.data() + 2);
  if (length % 4 != 0 || length != datagram.size() - header_size) return DecodeError::wrong_length;

  datagram_ = datagram;
  method_ = method_of(type);
  class_ = class_of(type);
  return read_attributes();
}

std::optional<DecodeError> Message::read_attributes() {
  const Bytes body = datagram_.subspan(header_size);
  IntegrityCut cut;
  std::size_t seen = 0;
  std::size_t at = 0;
  while (at < body.size()) {
    // Both the body and `at` are multiples of 4, so the four bytes are there, and so is a value's padding.
    const auto type = load_big<std::uint16_t>(body.data() + at);
    const auto size = load_big<std::uint16_t>(body.data() + at + 2);
    at += attribute_header_size;
    if (size > body.size() - at) return DecodeError::attribute_overrun;
    if (seen++ == attributes_max) return DecodeError::too_many_attributes;
    if (cut.admits(static_cast<AttributeType>(type)))
      entries_[count_++] = Entry{type, static_cast<std::uint16_t>(at), size};
    at += padded(size);
  }
  return std::nullopt;
}

TransactionId Message::transaction_id() const {
  TransactionId id;
  std::copy_n(datagram_.begin() + 8, id.size(), id.begin());
  return id;
}

const Message::Entry* Message::find_entry(AttributeType type) const {
  for (std::size_t i = 0; i < count_; ++i)
    if (entries_[i].type == static_cast<std::uint16_t>(type)) return &entries_[i];
  return nullptr;
}

Bytes Message::value_of(const Entry& entry) const {
  return datagram_.subspan(header_size + entry.offset, entry.size);
}

std::optional<Bytes> Message::find(AttributeType type) const {
  const Entry* entry = find_entry(type);
  if (entry == nullptr) return std::nullopt;
  return value_of(*entry);
}

void Message::for_each(FunctionRef<void(AttributeType, Bytes)> visit) const {
  for (std::size_t i = 0; i < count_; ++i)
    visit(static_cast<AttributeType>(entries_[i].type), value_of(entries_[i]));
}

Message::Unknown Message::unknown_required(FunctionRef<bool(AttributeType)> understood) const {
  Unknown unknown;
  for (std::size_t i = 0; i < count_; ++i) {
    const std::uint16_t type = entries_[i].type;
    const auto known_end = unknown.types.begin() + static_cast<std::ptrdiff_t>(unknown.count);
    if (!is_comprehension_required(static_cast<AttributeType>(type))) continue;
    if (understood(static_cast<AttributeType>(type))) continue;
    if (std::find(unknown.types.begin(), known_end, type) != known_end) continue;
    unknown.types[unknown.count++] = type;
    if (unknown.count == unknown.types.size()) break;
  }
  return unknown;
}

bool Message::verify_integrity(Bytes key) const {
  const Entry* entry = find_entry(AttributeType::message_integrity);
  if (entry == nullptr || entry->size != sizeof(crypto::Sha1)) return false;
  const auto header = header_up_to(datagram_, entry->offset + sizeof(crypto::Sha1));
  const Bytes covered = datagram_.subspan(header_size, entry->offset - attribute_header_size);
  return crypto::equal_in_constant_time(crypto::hmac_sha1(key, header, covered), value_of(*entry));
}

bool Message::verify_integrity_sha256(Bytes key) const {
  const Entry* entry = find_entry(AttributeType::message_integrity_sha256);
  // RFC 8489 section 14.6 lets a usage allow truncation; the long-term mechanism does not.
  if (entry == nullptr || entry->size != sizeof(crypto::Sha256)) return false;
  const auto header = header_up_to(datagram_, entry->offset + sizeof(crypto::Sha256));
  const Bytes covered = datagram_.subspan(header_size, entry->offset - attribute_header_size);
  return crypto::equal_in_constant_time(crypto::hmac_sha256(key, header, covered), value_of(*entry));
}

bool Message::verify_fingerprint() const {
  const auto value = find(AttributeType::fingerprint);
  if (!value || value->size() != sizeof(std::uint32_t)) return false;
  // RFC 8489 section 14.7: it is the last attribute, so the length field already is the one that it covers.
  if (value->data() + value->size() != datagram_.data() + datagram_.size()) return false;
  const Bytes covered = datagram_.first(datagram_.size() - attribute_header_size - value->size());
  return (crypto::crc32(covered) ^ fingerprint_mask) == load_big<std::uint32_t>(value->data());
}

}  // namespace turnpike::stun
