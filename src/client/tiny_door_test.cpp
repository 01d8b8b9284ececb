#include "client/tiny_door.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.hpp"

namespace turnpike::client::test {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Error = boost::system::error_code;
using Tcp = asio::ip::tcp;

// A key and a certificate for 127.0.0.1 that signs itself.
void make_certificate(asio::ssl::context& context, std::string& pem) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_version(certificate, 2);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("tiny door"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  check(X509_sign(certificate, key, EVP_sha256()) > 0, "the certificate is signed");
  check(SSL_CTX_use_certificate(context.native_handle(), certificate) == 1, "the certificate is used");
  check(SSL_CTX_use_PrivateKey(context.native_handle(), key) == 1, "the key is used");
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, certificate);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  pem.assign(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

}  // namespace

class TinyDoor::Impl {
 public:
  explicit Impl(TinyDoorSettings settings) : settings_(std::move(settings)) {
    if (settings_.is_secure) make_certificate(tls_, certificate);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~Impl() {
    {
      const std::scoped_lock lock{mutex_};
      is_ending_ = true;
      if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
    }
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  std::string certificate;

 private:
  void serve() {
    while (true) {
      Tcp::socket socket{io_};
      Error error;
      acceptor_.accept(socket, error);
      {
        const std::scoped_lock lock{mutex_};
        if (error || is_ending_) return;
        current_ = ::dup(socket.native_handle());
      }
      if (settings_.is_secure) {
        beast::websocket::stream<asio::ssl::stream<Tcp::socket&>> stream{socket, tls_};
        stream.next_layer().handshake(asio::ssl::stream_base::server, error);
        if (!error) talk(stream);
      } else {
        beast::websocket::stream<Tcp::socket&> stream{socket};
        talk(stream);
      }
      const std::scoped_lock lock{mutex_};
      ::close(std::exchange(current_, -1));
    }
  }

  template <typename Stream>
  void talk(Stream& stream) {
    Error error;
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    http::read(stream.next_layer(), buffer, request, error);
    if (error) return;
    if (settings_.refusal != 0) {
      http::response<http::string_body> response{static_cast<http::status>(settings_.refusal), 11};
      response.prepare_payload();
      http::write(stream.next_layer(), response, error);
      return;
    }
    stream.set_option(
        beast::websocket::stream_base::decorator([this](beast::websocket::response_type& response) {
          if (!settings_.subprotocol.empty())
            response.set(http::field::sec_websocket_protocol, settings_.subprotocol);
        }));
    stream.accept(request, error);
    stream.text(true);
    for (std::size_t i = 0; !error && i < settings_.messages_max; ++i) {
      beast::flat_buffer message;
      stream.read(message, error);
      if (error) return;
      const auto text = beast::buffers_to_string(message.data());
      for (const std::string& answer : settings_.answer ? settings_.answer(text) : std::vector<std::string>{})
        stream.write(asio::buffer(answer), error);
    }
    stream.close(beast::websocket::close_code::going_away, error);
  }

  TinyDoorSettings settings_;
  asio::io_context io_;
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  Tcp::acceptor acceptor_{io_, Tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
  std::mutex mutex_;
  int current_ = -1;  // the connection's, once more: Beast closes its own when it likes
  bool is_ending_ = false;
  std::thread thread_;
};

TinyDoor::TinyDoor(TinyDoorSettings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
TinyDoor::~TinyDoor() = default;
std::uint16_t TinyDoor::port() const { return impl_->port(); }
const std::string& TinyDoor::certificate() const { return impl_->certificate; }

}  // namespace turnpike::client::test
