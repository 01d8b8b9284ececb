#pragma once
// Whom a client trusts over TLS, and in words why it does not. Private to the client's connections.

#include <optional>
#include <string>

namespace boost::asio::ssl {
class context;  // NOLINT(readability-identifier-naming): the name that Asio has
}

namespace turnpike::client {

struct TlsTrust {
  std::string ca_file{};     // certificates that are trusted; empty: those of the system
  bool is_insecure = false;  // trust any certificate
};

struct TlsTrouble {
  std::string found{};
  std::string advice{};
};

// The other side has to show a certificate for this host. What is wrong where the file is of no use.
std::optional<TlsTrouble> prepare_tls(boost::asio::ssl::context& context, const TlsTrust& trust,
                                      const std::string& host);
// What OpenSSL's verdict on the certificate of `target` means after a handshake that has failed; nothing
// where the certificate is not to blame.
std::optional<TlsTrouble> find_distrust(long verdict, const TlsTrust& trust, const std::string& target,
                                        const std::string& host);

}  // namespace turnpike::client
