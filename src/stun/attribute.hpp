#pragma once
// Attribute types, error codes and the small structured values that attributes carry.

#include <array>
#include <cstdint>
#include <string_view>

#include "base/address.hpp"

namespace turnpike::stun {

enum class AttributeType : std::uint16_t {
  mapped_address = 0x0001,
  change_request = 0x0003,
  username = 0x0006,
  message_integrity = 0x0008,
  error_code = 0x0009,
  unknown_attributes = 0x000a,
  channel_number = 0x000c,
  lifetime = 0x000d,
  xor_peer_address = 0x0012,
  data = 0x0013,
  realm = 0x0014,
  nonce = 0x0015,
  xor_relayed_address = 0x0016,
  requested_address_family = 0x0017,
  even_port = 0x0018,
  requested_transport = 0x0019,
  dont_fragment = 0x001a,
  access_token = 0x001b,
  message_integrity_sha256 = 0x001c,
  password_algorithm = 0x001d,
  userhash = 0x001e,
  xor_mapped_address = 0x0020,
  reservation_token = 0x0022,
  priority = 0x0024,
  use_candidate = 0x0025,
  padding = 0x0026,
  response_port = 0x0027,
  connection_id = 0x002a,
  additional_address_family = 0x8000,
  address_error_code = 0x8001,
  password_algorithms = 0x8002,
  alternate_domain = 0x8003,
  icmp = 0x8004,
  software = 0x8022,
  alternate_server = 0x8023,
  transaction_transmit_counter = 0x8025,
  fingerprint = 0x8028,
  response_origin = 0x802b,
  other_address = 0x802c,
  third_party_authorization = 0x802e,
  mobility_ticket = 0x8030,
};

constexpr bool is_comprehension_required(AttributeType type) {
  return static_cast<std::uint16_t>(type) < 0x8000;
}

enum class ErrorCode : std::uint16_t {
  try_alternate = 300,
  bad_request = 400,
  unauthenticated = 401,
  forbidden = 403,
  mobility_forbidden = 405,
  unknown_attribute = 420,
  allocation_mismatch = 437,
  stale_nonce = 438,
  address_family_not_supported = 440,
  wrong_credentials = 441,
  unsupported_transport_protocol = 442,
  peer_address_family_mismatch = 443,
  connection_already_exists = 446,
  connection_timeout_or_failure = 447,
  allocation_quota_reached = 486,
  role_conflict = 487,
  server_error = 500,
  insufficient_capacity = 508,
};
std::string_view reason_phrase(ErrorCode code);  // the RFC's words

struct ErrorValue {
  std::uint16_t code = 0;  // 300..699
  std::string_view reason;
};

struct AddressErrorValue {  // RFC 8656 section 18.12
  AddressFamily family{};
  std::uint16_t code = 0;
  std::string_view reason;
};

struct IcmpValue {  // RFC 8656 section 18.13: 7 bits of type, 9 bits of code
  std::uint8_t type = 0;
  std::uint16_t code = 0;
  std::uint32_t error_data = 0;  // the MTU where the type carries one, else 0
  bool operator==(const IcmpValue&) const = default;
};

enum class PasswordAlgorithmValue : std::uint16_t { md5 = 1, sha256 = 2 };  // RFC 8489 section 18.5

// The algorithms of PASSWORD-ALGORITHMS in the order of the wire; numbers we do not know are kept, so that a
// list can be compared with the one that we sent.
struct PasswordAlgorithmList {
  std::array<std::uint16_t, 8> algorithms{};
  std::size_t count = 0;
  bool operator==(const PasswordAlgorithmList&) const = default;
};

}  // namespace turnpike::stun
