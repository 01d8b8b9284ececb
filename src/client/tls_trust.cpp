#include "client/tls_trust.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>

namespace turnpike::client {

namespace ssl = boost::asio::ssl;

std::optional<TlsTrouble> prepare_tls(ssl::context& context, const TlsTrust& trust, const std::string& host) {
  boost::system::error_code error;
  if (trust.is_insecure) {
    context.set_verify_mode(ssl::verify_none, error);
    return std::nullopt;
  }
  if (trust.ca_file.empty())
    context.set_default_verify_paths(error);
  else
    context.load_verify_file(trust.ca_file, error);
  if (error)
    return TlsTrouble{
        .found = fmt::format("\"{}\" holds no certificates to trust: {}", trust.ca_file, error.message()),
        .advice = "Give a PEM file with --ca."};
  context.set_verify_mode(ssl::verify_peer, error);
  context.set_verify_callback(ssl::host_name_verification(host), error);
  return std::nullopt;
}

std::optional<TlsTrouble> find_distrust(long verdict, const TlsTrust& trust, const std::string& target,
                                        const std::string& host) {
  if (trust.is_insecure || verdict == X509_V_OK) return std::nullopt;
  // The chain is good and our own look at the name has failed: OpenSSL knows no word for that.
  if (verdict == X509_V_ERR_UNSPECIFIED)
    return TlsTrouble{.found = fmt::format("the certificate of {} is for another host", target),
                      .advice = fmt::format("Connect by a name or address that is in the certificate, or "
                                            "have one made for \"{}\".",
                                            host)};
  return TlsTrouble{.found = fmt::format("the certificate of {} is not trusted: {}", target,
                                         X509_verify_cert_error_string(verdict)),
                    .advice =
                        "Name the authority that signed it with --ca FILE, or, while trying things "
                        "out, use --insecure, which trusts anybody."};
}

}  // namespace turnpike::client
