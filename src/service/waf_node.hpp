#pragma once
// WafNode is the authorization server with its sockets: one loop with HTTP servers, the machine and its
// ledger, and one thread beside it that checks passwords, so that nobody waits for another one's login.

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "service/http_server.hpp"
#include "service/issuer_book.hpp"
#include "service/loop.hpp"
#include "service/registration_port.hpp"
#include "service/relay_port.hpp"
#include "waf/ledger.hpp"
#include "waf/settings.hpp"

namespace turnpike::service {

struct WafNodeSettings {
  std::vector<HttpServerSettings> listeners{};  // https, or http on loopback alone
  // Where TURN servers fetch their keys, by certificates that its client_ca_file vouches for.
  std::optional<HttpServerSettings> key_listener{};
  waf::Settings waf{};
  // Of the providers, and of those who sign assertions and whose keys the settings do not have.
  std::vector<IssuerSource> issuers{};
  IssuerBookSettings issuer_book{};
  std::uint32_t requests_per_second_per_source = 200;  // more are answered with 429
  std::size_t passwords_waiting_max = 32;              // logins that wait for a check; more are told 503
  std::chrono::seconds upkeep_every{60};               // ended records are dropped, keys follow one another
  // How soon it is noticed what others have done to the ledger: what was revoked, and keys that were
  // replaced.
  std::chrono::milliseconds look_every{250};
};

struct WafExchange {
  std::string_view endpoint{};  // "/token"; "other" for a path that is none
  unsigned status = 0;
  std::string_view error{};  // of RFC 6749 section 5.2 and its like, or ""
  IpAddress remote{};
};

// Told on the node's thread; must be quick, and must not call the node.
class WafObserver {
 public:
  virtual ~WafObserver() = default;
  virtual void on_answer(const WafExchange& exchange, Now now) = 0;
  // Once for each revocation of TURN tokens; not done: not every relay has acknowledged it, or there is none.
  virtual void on_revoked(bool is_done, Now now) = 0;
  virtual void on_keys_changed(Now now) = 0;
  // At the start, and then every minute at least. `unfetched`: TURN servers of whose newest key nobody knows
  // although it is due.
  virtual void on_turn_keys(const std::vector<std::string>& unfetched, bool have_changed, Now now) = 0;
  virtual void on_turn_keys_fetched(std::string_view server_name, const IpAddress& remote, Now now) = 0;
  // Another issuer has other keys than before; or `failure` says why it could not be asked.
  virtual void on_issuer(const IssuerNews& news, Now now) = 0;
  // The ledger could not be read or written; `what` is a sentence for the operator.
  virtual void on_ledger_failed(std::string_view what, Now now) = 0;
};

// Null: there is nobody to tell. They outlive the node's loop.
struct WafPorts {
  RelayPort* relays = nullptr;  // called on the loop, answers there
  RegistrationPort* registrations = nullptr;
};

class WafNode {
 public:
  // Opens every socket; nobody is served before start(). The error is one line. After this call the ledger is
  // used on the node's thread alone; it outlives the node, as the observer does.
  static std::expected<std::unique_ptr<WafNode>, std::string> open(WafNodeSettings settings,
                                                                   waf::Ledger& ledger,
                                                                   WafObserver& observer);
  ~WafNode();  // stops
  WafNode(const WafNode&) = delete;
  WafNode& operator=(const WafNode&) = delete;

  Loop& loop();
  // They are told of all that is revoked and has not ended, whoever has revoked it, and when.
  void start(const WafPorts& ports);
  void stop();

  // From the thread that has started it: what is decided by from now on, and the issuers that it needs.
  // Listeners stay as they are. The error is a sentence about a file; then nothing has changed.
  std::expected<void, std::string> reconfigure(waf::Settings settings, std::vector<IssuerSource> issuers);
  // The same: takes in what a command has changed in the ledger about the keys of TURN servers.
  void take_turn_keys();
  // For connections that begin from now on. The error is a sentence; the old one stays then.
  std::expected<void, std::string> reload_certificate(const std::string& certificate_file,
                                                      const std::string& key_file);
  // The same of the listener where TURN servers fetch their keys, whose authority is read again, too.
  std::expected<void, std::string> reload_key_certificate(const std::string& certificate_file,
                                                          const std::string& key_file);
  [[nodiscard]] std::vector<SocketAddress> listeners() const;
  [[nodiscard]] std::optional<SocketAddress> key_listener() const;

  class Impl;

 private:
  explicit WafNode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::service
