#pragma once
// Client is the other side: a TURN client (RFC 8656, RFC 8489, RFC 7635) as a machine, one allocation over
// one UDP path. Used by the simulation, by the load generator and, with sockets, by src/client.
//
//   shell:  start / permit / bind_channel / send / refresh / close,  on_datagram / on_timeout
//           then next_effect() until it is empty, then sleep until next_timeout()

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "stun/message.hpp"

namespace turnpike::turn {

// How the client proves itself. On the wire a username has at most 508 bytes (RFC 8489 section 14.3); the
// shell sees to it, as it does to tokens of at most 1400 bytes and a mac_key of at most 64.
struct PasswordCredential {  // static, computed, pushed, and tokens in their browser form
  std::string username{};
  Secret password{};
};
struct TokenCredential {    // RFC 7635
  std::string kid;          // goes as USERNAME
  ByteVector access_token;  // binary, as on the wire
  Secret mac_key;
  bool coturn16 = false;  // key the HMAC with the first 16 bytes only, as coturn does
};
using ClientCredential = std::variant<PasswordCredential, TokenCredential>;

struct ClientSettings {
  ClientCredential credential{};
  std::optional<AddressFamily> family{};  // REQUESTED-ADDRESS-FAMILY
  bool additional_ipv6 = false;           // ADDITIONAL-ADDRESS-FAMILY
  std::optional<bool> even_port{};        // EVEN-PORT, true: reserve the next
  std::optional<std::array<Byte, 8>> reservation_token{};
  std::optional<std::chrono::seconds> lifetime{};  // asked for in Allocate and Refresh
  bool dont_fragment = false;                      // in Send indications
  bool password_algorithms = true;                 // answer RFC 8489 challenges with SHA-256 when offered
  bool username_anonymity = true;                  // send USERHASH when offered
  std::chrono::milliseconds rto{500};
  int transmissions_max = 7;  // Rc of RFC 8489 section 6.2.1
};

// What went wrong, in the words of `turnpike probe`.
struct ClientFailure {
  enum class Kind : std::uint8_t {
    no_answer,           // every transmission timed out
    refused,             // an error code
    unauthentic_answer,  // the answer's integrity does not hold
    bid_down,            // RFC 8489 section 9.2.1: the nonce promises algorithms that are not there
    malformed_answer,
  };
  Kind kind{};
  stun::Method method{};
  std::uint16_t code = 0;                    // refused
  std::string reason{};                      // the server's words, if any
  std::optional<SocketAddress> alternate{};  // 300: where the server sends us
};

// What the server told about itself, above all when it asked for a credential.
struct ServerDescription {
  std::string realm;
  std::string nonce;
  std::string software;                          // SOFTWARE, often absent
  std::optional<std::string> token_server_name;  // THIRD-PARTY-AUTHORIZATION: it takes RFC 7635 tokens
  stun::PasswordAlgorithmList algorithms;        // PASSWORD-ALGORITHMS; none: MD5 alone
};

// --- effects --------------------------------------------------------------------------------------------
struct ClientSend {
  ByteVector bytes;
};  // to the server
struct Discovered {
  SocketAddress mapped{};
};  // the answer to discover()
struct Allocated {
  std::vector<SocketAddress> relayed{};  // one or two
  SocketAddress mapped{};
  std::chrono::seconds lifetime{};
  std::optional<std::array<Byte, 8>> reservation_token{};
  std::optional<std::uint16_t> additional_family_error{};  // ADDRESS-ERROR-CODE
};
struct Refreshed {
  std::chrono::seconds lifetime{};
};  // zero: deleted
struct Permitted {
  std::vector<SocketAddress> peers{};
};
struct ChannelBound {
  std::uint16_t channel = 0;
  SocketAddress peer{};
};
struct Received {
  SocketAddress peer{};
  ByteVector payload{};
  bool by_channel = false;
};
struct PeerUnreachable {
  SocketAddress peer{};
  stun::IcmpValue icmp{};
};
struct Failed {
  ClientFailure failure;
};
struct Traced {  // one step of the conversation, for timelines
  enum class Direction : std::uint8_t { sent, received };
  Direction direction{};
  stun::Method method{};
  stun::Class message_class{};
  std::uint16_t code = 0;  // of an error
  int transmission = 1;    // sent: 2 and more are repetitions
  bool authentic = true;   // received: false where the integrity check failed and the answer was ignored
};
using ClientEffect = std::variant<ClientSend, Allocated, Refreshed, Permitted, ChannelBound, Received,
                                  PeerUnreachable, Failed, Traced, Discovered>;

class Client {
 public:
  Client(ClientSettings settings, Random& random);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  void discover(Now now);  // Binding, without a credential
  // Allocate: without a credential until the server has asked for it. What permit and bind_channel want
  // before the answer waits for it.
  void start(Now now);
  void permit(std::vector<SocketAddress> peers, Now now);  // CreatePermission
  // Binds the peer to a channel of the client's choice and keeps it bound; returns the number.
  std::uint16_t bind_channel(const SocketAddress& peer, Now now);
  // ChannelData when the peer's channel is bound, else a Send indication.
  void send(const SocketAddress& peer, Bytes payload, Now now);
  void refresh(std::chrono::seconds lifetime, Now now);  // now; later ones ask for settings.lifetime
  // The credential of later requests; for tokens, RFC 7635 lets a new one take over a running allocation.
  void change_credential(ClientCredential credential);
  void close(Now now);  // Refresh with lifetime 0

  void on_datagram(Bytes datagram, Now now);
  void on_timeout(Now now);  // retransmits; refreshes what would expire

  std::optional<ClientEffect> next_effect();
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] bool is_allocated() const;
  [[nodiscard]] bool is_idle() const;  // no answer is awaited
  [[nodiscard]] const ServerDescription& server() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::turn
