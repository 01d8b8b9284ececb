#pragma once
// For tests: a client and the server that it talks to, played by hand. The test takes what the client sent
// and answers it, signed or not; time passes when the test says so.

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "credentials/grant.hpp"
#include "stun/channel_data.hpp"
#include "stun/message.hpp"
#include "turn/client.hpp"

namespace turnpike::turn::script {

using credentials::PasswordAlgorithm;
using std::chrono::milliseconds;
using std::chrono::seconds;
using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::Message;
using stun::Method;
using stun::Writer;

inline const SocketAddress relayed = *SocketAddress::parse("192.0.2.15:50000");
inline const SocketAddress mapped = *SocketAddress::parse("198.51.100.7:40000");
inline const SocketAddress peer = *SocketAddress::parse("203.0.113.9:5000");
inline const SocketAddress other_peer = *SocketAddress::parse("203.0.113.10:5000");
inline constexpr std::string_view plain_nonce = "nonce-1";
inline constexpr std::string_view sha256_nonce = "obMatJos2gAAAnonce";    // bit 0
inline constexpr std::string_view userhash_nonce = "obMatJos2wAAAnonce";  // bits 0 and 1
inline const stun::PasswordAlgorithmList both_algorithms{{2, 1}, 2};

inline const PasswordCredential alice{"alice", Secret::from_text("wonderland")};
inline const TokenCredential token{
    "k1.8f3a", {1, 2, 3, 4, 5}, Secret::from_text("0123456789abcdefghij"), false};

inline credentials::Key key_of(PasswordAlgorithm algorithm, std::string_view realm = "ims.example") {
  return credentials::make_long_term_key(algorithm, "alice", realm, "wonderland");
}

// How the scripted server signs.
struct Signature {
  Bytes key;
  bool sha1 = true;
  bool sha256 = false;
};

class World {
 public:
  explicit World(ClientSettings settings = {.credential = alice}) : client(std::move(settings), random_) {}

  // The requests sent since the last call; everything else goes to `effects`.
  std::vector<ByteVector> take_sent() {
    drain();
    return std::exchange(sent_, {});
  }
  ByteVector take_one() {
    auto sent = take_sent();
    check(sent.size() == 1, "exactly one datagram was expected");
    return sent.front();
  }
  template <typename Effect>
  std::optional<Effect> take() {
    drain();
    for (auto at = effects_.begin(); at != effects_.end(); ++at) {
      if (auto* effect = std::get_if<Effect>(&*at)) {
        Effect found = std::move(*effect);
        effects_.erase(at);
        return found;
      }
    }
    return std::nullopt;
  }
  template <typename Effect>
  bool has() {
    return take<Effect>().has_value();
  }

  // Answers a request; `fill` adds the attributes.
  template <typename Fill>
  void answer(Bytes request, Class message_class, Fill fill, std::optional<Signature> signature = {}) {
    const auto decoded = Message::decode(request);
    check(decoded.has_value(), "the client sent what does not decode");
    std::array<Byte, 1024> buffer;
    Writer writer{buffer, decoded->method(), message_class, decoded->transaction_id()};
    fill(writer);
    if (signature && signature->sha1) writer.add_integrity(signature->key);
    if (signature && signature->sha256) writer.add_integrity_sha256(signature->key);
    const auto bytes = writer.finish();
    check(bytes.has_value());
    client.on_datagram(*bytes, now);
  }
  void challenge(Bytes request, ErrorCode code, std::string_view nonce,
                 std::string_view realm = "ims.example",
                 std::optional<stun::PasswordAlgorithmList> algorithms = {}) {
    answer(request, Class::error, [&](Writer& writer) {
      writer.add_error(code).add_text(AttributeType::realm, realm).add_text(AttributeType::nonce, nonce);
      if (algorithms) writer.add_password_algorithms(*algorithms);
    });
  }
  void refuse(Bytes request, ErrorCode code, std::optional<Signature> signature) {
    answer(request, Class::error, [&](Writer& writer) { writer.add_error(code, "no"); }, signature);
  }
  void accept_allocate(Bytes request, Signature signature, std::uint32_t lifetime = 600) {
    answer(
        request, Class::success,
        [&](Writer& writer) {
          writer.add_xor_address(AttributeType::xor_relayed_address, relayed)
              .add_xor_address(AttributeType::xor_mapped_address, mapped)
              .add_u32(AttributeType::lifetime, lifetime);
        },
        signature);
  }
  void accept_refresh(Bytes request, std::uint32_t lifetime) {
    answer(
        request, Class::success, [&](Writer& writer) { writer.add_u32(AttributeType::lifetime, lifetime); },
        md5());
  }
  void accept(Bytes request) {
    answer(request, Class::success, [](Writer&) {}, md5());
  }

  Signature md5() const { return {.key = md5_key_.reveal()}; }

  // Through the challenge to an allocation, with MD5.
  void allocate(std::uint32_t lifetime = 600) {
    client.start(now);
    challenge(take_one(), ErrorCode::unauthenticated, plain_nonce);
    accept_allocate(take_one(), md5(), lifetime);
    check(client.is_allocated(), "the scripted allocation failed");
    drain();
    effects_.clear();
  }
  void advance(Duration by) {
    now.mono += by;
    now.wall += by;
    client.on_timeout(now);
  }
  // The time until the client wants to be woken.
  Duration sleep() const {
    const auto due = client.next_timeout();
    check(due.has_value(), "the client waits for nothing");
    return *due - now.mono;
  }

 private:
  void drain() {
    while (auto effect = client.next_effect()) {
      if (auto* send = std::get_if<ClientSend>(&*effect))
        sent_.push_back(std::move(send->bytes));
      else
        effects_.push_back(std::move(*effect));
    }
  }
  SeededRandom random_{1};
  credentials::Key md5_key_ = key_of(PasswordAlgorithm::md5);
  std::vector<ByteVector> sent_;
  std::vector<ClientEffect> effects_;

 public:
  Now now{};
  Client client;
};

inline Message decode(const ByteVector& bytes) {
  const auto message = Message::decode(bytes);
  check(message.has_value());
  return *message;
}

inline std::size_t count_peers(const Message& message) {
  std::size_t count = 0;
  message.for_each(
      [&](AttributeType type, Bytes) { count += type == AttributeType::xor_peer_address ? 1 : 0; });
  return count;
}

}  // namespace turnpike::turn::script
