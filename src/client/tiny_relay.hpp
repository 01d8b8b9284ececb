#pragma once
// For tests: a TURN server of one allocation, in a thread, on the loopback interface. It signs with MD5 keys,
// relays for one peer and one channel, and misbehaves on request. No product code may use it.

#include <poll.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "base/check.hpp"
#include "client/udp_socket.hpp"
#include "credentials/grant.hpp"
#include "stun/channel_data.hpp"
#include "stun/message.hpp"

namespace turnpike::client {

struct TinyRelaySettings {
  std::string username = "alice";
  std::string password = "wonderland";
  bool forbids_peers = false;
  bool loses_packets_to_peers = false;
  bool loses_packets_to_clients = false;
  bool signs_wrongly = false;
  std::uint16_t allocate_error = 0;  // instead of success
  std::string software = "tiny relay";
};

class TinyRelay {
 public:
  explicit TinyRelay(TinyRelaySettings settings)
      : settings_(std::move(settings)),
        server_(open()),
        relay_(open()),
        key_(credentials::make_long_term_key(credentials::PasswordAlgorithm::md5, settings_.username,
                                             "tiny.example", settings_.password)),
        thread_([this] { run(); }) {}
  ~TinyRelay() {
    stopped_ = true;
    thread_.join();
  }
  TinyRelay(const TinyRelay&) = delete;
  TinyRelay& operator=(const TinyRelay&) = delete;

  [[nodiscard]] std::string uri() const { return "turn:" + server_.local_address().to_string(); }

 private:
  static UdpSocket open() {
    auto socket = UdpSocket::open(IpAddress::v4({127, 0, 0, 1}));
    check(socket.has_value(), "the loopback interface gives no socket");
    return std::move(*socket);
  }

  void run() {
    while (!stopped_) {
      std::array<pollfd, 2> polled{pollfd{server_.descriptor(), POLLIN, 0},
                                   pollfd{relay_.descriptor(), POLLIN, 0}};
      if (::poll(polled.data(), polled.size(), 5) <= 0) continue;
      if (const auto datagram = server_.receive(buffer_); datagram && *datagram) on_client(**datagram);
      if (const auto datagram = relay_.receive(buffer_); datagram && *datagram) on_peer(**datagram);
    }
  }

  void on_client(const UdpSocket::Datagram& datagram) {
    if (const auto data = stun::decode_channel_data(datagram.bytes)) {
      to_peer(channel_peer_, data->payload);
      return;
    }
    const auto message = stun::Message::decode(datagram.bytes);
    if (!message) return;
    if (message->method() == stun::Method::send) {
      const auto peer = message->xor_address(stun::AttributeType::xor_peer_address);
      if (peer) to_peer(*peer, *message->find(stun::AttributeType::data));
    } else {
      on_request(*message, datagram.from);
    }
  }

  void to_peer(const SocketAddress& peer, Bytes payload) {
    if (!settings_.loses_packets_to_peers) (void)relay_.send_to(peer, payload);
  }

  void on_peer(const UdpSocket::Datagram& datagram) {
    if (settings_.loses_packets_to_clients) return;
    std::array<Byte, 2048> buffer;
    stun::Writer writer{buffer, stun::Method::data, stun::Class::indication, {}};
    writer.add_xor_address(stun::AttributeType::xor_peer_address, datagram.from);
    writer.add(stun::AttributeType::data, datagram.bytes);
    (void)server_.send_to(client_, *writer.finish());
  }

  void on_request(const stun::Message& request, const SocketAddress& from) {
    if (request.method() == stun::Method::binding) {
      answer(request, from, 0, false);
    } else if (!request.verify_integrity(key_.reveal())) {
      answer(request, from, 401, false);
    } else {
      client_ = from;
      if (const auto peer = request.xor_address(stun::AttributeType::xor_peer_address)) channel_peer_ = *peer;
      const bool is_forbidden =
          settings_.forbids_peers && request.method() == stun::Method::create_permission;
      const bool is_allocate = request.method() == stun::Method::allocate;
      answer(request, from,
             is_forbidden  ? std::uint16_t{403}
             : is_allocate ? settings_.allocate_error
                           : std::uint16_t{0},
             true);
    }
  }

  void answer(const stun::Message& request, const SocketAddress& to, std::uint16_t code, bool is_signed) {
    using stun::AttributeType;
    std::array<Byte, 1024> buffer;
    stun::Writer writer{buffer, request.method(), code == 0 ? stun::Class::success : stun::Class::error,
                        request.transaction_id()};
    if (code != 0) writer.add_error(static_cast<stun::ErrorCode>(code));
    if (code == 401 || code == 438)
      writer.add_text(AttributeType::realm, "tiny.example")
          .add_text(AttributeType::nonce, "a-nonce")
          .add_text(AttributeType::software, settings_.software);
    if (code == 0) add_success(writer, request, to);
    const credentials::Key wrong{as_bytes("another key")};
    if (is_signed) writer.add_integrity(settings_.signs_wrongly ? wrong.reveal() : key_.reveal());
    (void)server_.send_to(to, *writer.finish());
  }

  void add_success(stun::Writer& writer, const stun::Message& request, const SocketAddress& client) {
    using stun::AttributeType;
    writer.add_xor_address(AttributeType::xor_mapped_address, client);
    if (request.method() == stun::Method::allocate)
      writer.add_xor_address(AttributeType::xor_relayed_address, relay_.local_address())
          .add_u32(AttributeType::lifetime, 600);
    if (request.method() == stun::Method::refresh) writer.add_u32(AttributeType::lifetime, 0);
  }

  TinyRelaySettings settings_;
  UdpSocket server_;
  UdpSocket relay_;
  credentials::Key key_;
  SocketAddress client_;
  SocketAddress channel_peer_;
  std::array<Byte, 2048> buffer_{};
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

}  // namespace turnpike::client
