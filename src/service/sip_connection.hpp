#pragma once
// One TCP connection of a SipEndpoint, whoever has opened it.

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "service/loop_impl.hpp"
#include "service/sip_endpoint.hpp"
#include "service/sip_framer.hpp"

namespace turnpike::service {

class SipConnection : public std::enable_shared_from_this<SipConnection> {
 public:
  // What a connection tells the endpoint.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_message(const SocketAddress& from, std::string_view text) = 0;
    virtual void on_framing_lost(const SocketAddress& from, FramingError error) = 0;
    // Once. Failed: what was sent lately may not have arrived.
    virtual void on_gone(SipConnection& connection, bool is_failed) = 0;
  };

  SipConnection(Owner& owner, TcpSocket socket, const SocketAddress& remote, const SipEndpointLimits& limits);

  void connect();  // its socket is closed yet
  void start();    // its socket is connected
  // What is sent in one turn of the loop leaves together, at its end.
  void send(std::string bytes);
  void close();
  // Makes room for another one; the owner is told.
  void give_way() { end(has_sent_lately()); }

  [[nodiscard]] const SocketAddress& remote() const { return remote_; }
  [[nodiscard]] bool is_own() const { return is_own_; }
  // When anything was last said, either way.
  [[nodiscard]] Instant used_at() const { return std::max(heard_at_, sent_at_); }

 private:
  void read();
  void on_read(const ErrorCode& error, std::size_t count);
  void flush_later();
  void write();
  void end(bool is_failed);
  [[nodiscard]] bool has_sent_lately() const;

  Owner& owner_;
  TcpSocket socket_;
  SteadyTimer timer_;
  SocketAddress remote_;
  const SipEndpointLimits& limits_;
  SipFramer framer_;
  std::array<char, 16384> chunk_;
  std::string writing_{};
  std::string waiting_{};
  Instant sent_at_ = Instant::min();
  Instant heard_at_;     // at first when it was made
  bool is_own_ = false;  // opened by us
  bool is_connected_ = false;
  bool is_flush_due_ = false;  // at the end of this turn
  bool is_over_ = false;
};

}  // namespace turnpike::service
