#include "service/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace turnpike::service {
namespace {

std::unexpected<std::string> refuse(const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return std::unexpected(
      fmt::format("{}: {}", what, reason == nullptr ? "OpenSSL does not say why" : reason));
}

}  // namespace

std::expected<TlsContext, std::string> load_tls_context(const std::string& certificate,
                                                        const std::string& key) {
  ERR_clear_error();
  TlsContext context{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
  if (!context) return refuse("a TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  // Forward secrecy and authenticated encryption alone, in TLS 1.2 too.
  SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  // An idle connection keeps no buffers; sessions are resumed from tickets, of which nothing is kept here.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One read of the socket for a record, instead of one for its head and one for the rest.
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1)
    return refuse(fmt::format("the certificate {} cannot be used", certificate));
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    return refuse(fmt::format("the key {} cannot be used", key));
  if (SSL_CTX_check_private_key(context.get()) != 1)
    return refuse(fmt::format("the key {} does not belong to the certificate {}", key, certificate));
  return context;
}

}  // namespace turnpike::service
