#pragma once
// For tests: the published messages that this codec must read and write, and messages made on the spot.

#include <string>
#include <string_view>

#include "base/check.hpp"
#include "stun/message.hpp"

namespace turnpike::stun::test {

inline ByteVector hex(std::string_view text) {
  const auto bytes = from_hex(text);
  check(bytes.has_value(), "the test's hex is wrong");
  return *bytes;
}
inline ByteVector base64(std::string_view text) {
  const auto bytes = from_base64(text);
  check(bytes.has_value(), "the test's base64 is wrong");
  return *bytes;
}
inline SocketAddress address(std::string_view text) {
  const auto parsed = SocketAddress::parse(text);
  check(parsed.has_value(), "the test's address is wrong");
  return *parsed;
}

inline constexpr TransactionId counting_id{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

// The message that `fill` writes.
template <typename Fill>
ByteVector written(Fill fill, Method method = Method::allocate, Class message_class = Class::request,
                   const TransactionId& id = counting_id) {
  ByteVector buffer(65536 + header_size, Byte{0xee});
  Writer writer{buffer, method, message_class, id};
  fill(writer);
  const auto bytes = writer.finish();
  check(bytes.has_value(), "the test's message does not fit");
  return to_vector(*bytes);
}

// Reads bytes that must outlive the message and be one.
inline Message read(const ByteVector& bytes) {
  auto message = Message::decode(bytes);
  check(message.has_value(), "the test's message does not decode");
  return *message;
}
Message read(ByteVector&& bytes) = delete;

// RFC 5769 section 2.1; its padding is 0x20, as in 2.2 and 2.3.
inline constexpr std::string_view rfc5769_request =
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008"
    "932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004"
    "e57a3bcf";
inline constexpr std::string_view rfc5769_response_ipv4 =
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a64300080014"
    "2b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
inline constexpr std::string_view rfc5769_response_ipv6 =
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179"
    "bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";
inline constexpr std::string_view rfc5769_long_term =
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c662f2f34"
    "39396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014f67024656dd64a3e"
    "02b8e0712e85c9a28ca89666";

// RFC 8489 appendix B.1 as erratum 6268 corrects it. The printed message has a wrong length, lacks
// PASSWORD-ALGORITHM and carries another digest: it cannot be verified by anybody.
inline constexpr std::string_view rfc8489_userhash =
    "000100902112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41"
    "407f1704001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39465354767936347341000000"
    "0014000b6578616d706c652e6f726700001d000400020000001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c4314"
    "9309278cc6518e65";

// An Allocate with a credential of the TURN REST form: MD5 and the RFC 8489 algorithms.
inline constexpr std::string_view rest_allocate =
    "000300802112a442000102030405060708090a0b001900041100000000060020313839333435363030303a696d70692d33663261"
    "40696d732e6578616d706c650014000b696d732e6578616d706c65000015001d6f624d61744a6f73324141414130313233343536"
    "373839616263646566000000"
    "00080014f57c59d1598a27f7b96f9bd65c0f56e0574ae3fe8028000409bb685d";
inline constexpr std::string_view rest_allocate_sha256 =
    "000300a02112a442000102030405060708090a0b001900041100000000060020313839333435363030303a696d70692d33663261"
    "40696d732e6578616d706c650014000b696d732e6578616d706c65000015001d6f624d61744a6f73326741414130313233343536"
    "373839616263646566000000800200080002000000010000001d000400020000001c0020e054a139981531432bea1b74a4ffdd80"
    "937a876ed2f2be88c5707066deabe93680280004750fb1e7";

// An Allocate with the token of RFC 7635 appendix A, up to the value of MESSAGE-INTEGRITY.
inline constexpr std::string_view token_allocate_head =
    "000300a02112a442000102030405060708090a0b0019000411000000001b0040000c68346a336b326c326e346235617ef134a3d5"
    "e44e9a19cc7dc104b0c03d03b2a551d8fdf5cd3b6dca6f10cfb77e5b2ddec84d293a5c50499359f0c2e26f760006000a32373833"
    "343636323334000000140014626c61636b646f772e6361726c656f6e2e676f760015001030313233343536373839616263646566"
    "00080014";
inline constexpr std::string_view token_allocate_mac = "b80c6e3e33cfa7da5906fd07e37f6c74b54bcf3d";
// What coturn makes of it, which uses the first 16 bytes of the key.
inline constexpr std::string_view token_allocate_mac_coturn = "cca3d354cc86d0acec25dce696325164a99eb001";
inline constexpr std::string_view token_mac_key = "ZksjpweoixXmvn67534m";

// A 401 that offers third-party authorization.
inline constexpr std::string_view third_party_challenge =
    "011300542112a442000102030405060708090a0b0009001000000401556e617574686f72697a6564001500103031323334353637"
    "38396162636465660014000b696d732e6578616d706c6500802e00107475726e2e696d732e6578616d706c6580280004c2355d4"
    "9";

}  // namespace turnpike::stun::test
