#pragma once
// One request of the client before it has an identity, a nonce and a transaction. Private to turn::Client.

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "stun/message.hpp"
#include "turn/client.hpp"
#include "turn/client_authenticator.hpp"

namespace turnpike::turn {

struct ClientRequest {
  stun::Method method{};
  std::optional<std::chrono::seconds> lifetime{};  // Allocate, Refresh
  std::vector<SocketAddress> peers{};              // CreatePermission; ChannelBind has one
  std::uint16_t channel = 0;
};

struct EncodedRequest {
  ByteVector bytes;
  ClientProtection protection;
};

EncodedRequest encode_request(const ClientRequest& request, const ClientSettings& settings,
                              const ClientAuthenticator& authenticator, const stun::TransactionId& id);

ByteVector encode_send_indication(const SocketAddress& peer, Bytes payload, bool dont_fragment,
                                  const stun::TransactionId& id);
ByteVector encode_channel_data(std::uint16_t channel, Bytes payload);

}  // namespace turnpike::turn
