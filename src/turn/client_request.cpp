#include "turn/client_request.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "stun/channel_data.hpp"

namespace turnpike::turn {
namespace {

using stun::AttributeType;

constexpr std::uint8_t transport_udp = 17;

void add_allocate(stun::Writer& writer, const ClientRequest& request, const ClientSettings& settings) {
  writer.add_requested_transport(transport_udp);
  if (request.lifetime)
    writer.add_u32(AttributeType::lifetime, static_cast<std::uint32_t>(request.lifetime->count()));
  if (settings.family) writer.add_address_family(AttributeType::requested_address_family, *settings.family);
  if (settings.additional_ipv6)
    writer.add_address_family(AttributeType::additional_address_family, AddressFamily::ipv6);
  if (settings.even_port) writer.add_even_port(*settings.even_port);
  if (settings.reservation_token) writer.add(AttributeType::reservation_token, *settings.reservation_token);
  if (settings.dont_fragment) writer.add(AttributeType::dont_fragment, {});
}

void add_arguments(stun::Writer& writer, const ClientRequest& request, const ClientSettings& settings) {
  switch (request.method) {
    case stun::Method::allocate:
      add_allocate(writer, request, settings);
      return;
    case stun::Method::refresh:
      if (request.lifetime)
        writer.add_u32(AttributeType::lifetime, static_cast<std::uint32_t>(request.lifetime->count()));
      return;
    case stun::Method::channel_bind:
      writer.add_channel_number(request.channel);
      break;
    default:
      break;
  }
  for (const SocketAddress& peer : request.peers)
    writer.add_xor_address(AttributeType::xor_peer_address, peer);
}

}  // namespace

EncodedRequest encode_request(const ClientRequest& request, const ClientSettings& settings,
                              const ClientAuthenticator& authenticator, const stun::TransactionId& id) {
  constexpr std::size_t arguments_size_max = 128;
  constexpr std::size_t peer_size_max = 24;
  EncodedRequest encoded;
  encoded.bytes.resize(arguments_size_max + request.peers.size() * peer_size_max + authenticator.size_hint());
  stun::Writer writer{encoded.bytes, request.method, stun::Class::request, id};
  add_arguments(writer, request, settings);
  // RFC 7635 section 9: the token itself goes in Allocate and Refresh; later requests are proved by its
  // mac_key.
  const bool with_token = request.method == stun::Method::allocate || request.method == stun::Method::refresh;
  if (request.method != stun::Method::binding) encoded.protection = authenticator.protect(writer, with_token);
  const auto message = writer.finish();
  check(message.has_value(), "the size hint of a request was too small");
  encoded.bytes.resize(message->size());
  encoded.bytes.shrink_to_fit();
  return encoded;
}

ByteVector encode_send_indication(const SocketAddress& peer, Bytes payload, bool dont_fragment,
                                  const stun::TransactionId& id) {
  ByteVector bytes(stun::header_size + 36 + payload.size() + 3);
  stun::Writer writer{bytes, stun::Method::send, stun::Class::indication, id};
  writer.add_xor_address(AttributeType::xor_peer_address, peer);
  if (dont_fragment) writer.add(AttributeType::dont_fragment, {});
  writer.add(AttributeType::data, payload);
  const auto message = writer.finish();
  if (!message) return {};
  bytes.resize(message->size());
  return bytes;
}

ByteVector encode_channel_data(std::uint16_t channel, Bytes payload) {
  const auto header = stun::encode_channel_header(channel, payload.size());
  ByteVector bytes(header.size() + payload.size());
  std::copy(payload.begin(), payload.end(), std::copy(header.begin(), header.end(), bytes.begin()));
  return bytes;
}

}  // namespace turnpike::turn
