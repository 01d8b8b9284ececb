#pragma once
// What a door shows in its TLS handshakes: a certificate chain with its key, TLS 1.2 or later.

#include <expected>
#include <memory>
#include <string>

using SSL_CTX = struct ssl_ctx_st;  // NOLINT(readability-identifier-naming): the name that OpenSSL has

namespace turnpike::service {

using TlsContext = std::shared_ptr<SSL_CTX>;

// Both files are PEM; the first certificate is the server's own. The error is one line that names the file.
std::expected<TlsContext, std::string> load_tls_context(const std::string& certificate,
                                                        const std::string& key);

}  // namespace turnpike::service
