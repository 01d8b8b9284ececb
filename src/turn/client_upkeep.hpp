#pragma once
// The permissions and channels that a client wants, has asked for and holds, and when each must be asked for
// again (RFC 8656 sections 9 and 12). Private to turn::Client; plain vectors, since a client has few of them
// and a load generator has many clients.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"

namespace turnpike::turn {

struct ClientChannel {
  SocketAddress peer;
  std::uint16_t number = 0;
};

class ClientUpkeep {
 public:
  void want_permission(const SocketAddress& peer);
  // The channel of the peer, a new one when it has none.
  ClientChannel want_channel(const SocketAddress& peer);

  void note_permissions_asked(const std::vector<SocketAddress>& peers);
  void note_channel_asked(std::uint16_t number);
  void keep_permissions(const std::vector<SocketAddress>& peers, Instant now);
  void keep_channel(std::uint16_t number, Instant now);
  void drop_permissions(const std::vector<SocketAddress>& peers);
  void drop_channel(std::uint16_t number);
  void clear();

  std::vector<SocketAddress> wanted_permissions() const;
  std::vector<ClientChannel> wanted_channels() const;
  std::vector<SocketAddress> due_permissions(Instant now) const;
  std::vector<ClientChannel> due_channels(Instant now) const;
  std::optional<Instant> next_due() const;

  std::optional<std::uint16_t> find_bound_channel(const SocketAddress& peer) const;
  std::optional<SocketAddress> find_peer(std::uint16_t number) const;

 private:
  enum class State : std::uint8_t { wanted, asked, held, dropped };
  struct Permission {
    SocketAddress peer;
    State state = State::wanted;
    Instant due{};
  };
  struct Channel {  // its number is its place
    SocketAddress peer;
    State state = State::wanted;
    bool is_bound = false;
    Instant due{};
  };
  Permission* find_permission(const IpAddress& peer);
  Channel* find_channel(std::uint16_t number);

  std::vector<Permission> permissions_;
  std::vector<Channel> channels_;
};

}  // namespace turnpike::turn
