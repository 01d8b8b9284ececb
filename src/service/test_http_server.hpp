#pragma once
// For tests: an HTTP server on loopback that answers what its script says, byte for byte.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/test_certificates.hpp"

namespace turnpike::service {

struct SeenRequest {
  std::string head;  // request line and fields
  std::string body;
  [[nodiscard]] bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

inline std::string make_http_answer(std::string_view body, std::string_view status = "200 OK",
                                    std::string_view fields = "") {
  std::string answer =
      "HTTP/1.1 " + std::string{status} + "\r\nContent-Length: " + std::to_string(body.size());
  return answer + "\r\n" + std::string{fields} + "\r\n" + std::string{body};
}

class TestHttpServer {
 public:
  // What to answer; nothing at all where it returns nothing; "" closes the connection.
  using Script = std::function<std::optional<std::string>(const SeenRequest&)>;

  TestHttpServer(boost::asio::io_context& loop, Script script)
      : TestHttpServer(loop, std::move(script), nullptr, "", false) {}
  // https, with the certificate of this name; clients show one where they are asked.
  TestHttpServer(boost::asio::io_context& loop, Script script, const TestCertificates& certificates,
                 const std::string& name, bool asks_for_certificate = false)
      : TestHttpServer(loop, std::move(script), &certificates, name, asks_for_certificate) {}
  TestHttpServer(const TestHttpServer&) = delete;
  TestHttpServer& operator=(const TestHttpServer&) = delete;
  ~TestHttpServer() { state_->close(); }

  [[nodiscard]] std::string url(std::string_view path, std::string_view host = "127.0.0.1") const {
    const auto port = std::to_string(state_->acceptor.local_endpoint().port());
    return (state_->is_tls ? "https://" : "http://") + std::string{host} + ":" + port + std::string{path};
  }
  [[nodiscard]] const std::vector<SeenRequest>& seen() const { return state_->seen; }
  [[nodiscard]] std::size_t connections() const { return state_->accepted; }
  void set_script(Script script) { state_->script = std::move(script); }
  // What a restart of the server looks like to its clients.
  void drop_connections() { state_->drop_connections(); }
  // From now on nobody listens.
  void close() { state_->close(); }

 private:
  using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;
  struct State {
    explicit State(boost::asio::io_context& loop)
        : acceptor(loop, {boost::asio::ip::address_v4::loopback(), 0}) {}
    void close() {
      boost::system::error_code error;
      error = acceptor.close(error);
      drop_connections();
    }
    void drop_connections() {
      boost::system::error_code error;
      for (const auto& weak : streams)
        if (const auto stream = weak.lock()) error = stream->next_layer().close(error);
      streams.clear();
    }

    Script script{};
    boost::asio::ip::tcp::acceptor acceptor;
    boost::asio::ssl::context tls{boost::asio::ssl::context::tls_server};
    bool is_tls = false;
    std::vector<SeenRequest> seen{};
    std::vector<std::weak_ptr<Stream>> streams{};
    std::size_t accepted = 0;
  };

  TestHttpServer(boost::asio::io_context& loop, Script script, const TestCertificates* certificates,
                 const std::string& name, bool asks_for_certificate)
      : state_(std::make_shared<State>(loop)) {
    state_->script = std::move(script);
    if (certificates != nullptr) {
      state_->is_tls = true;
      state_->tls.use_certificate_chain_file(certificates->certificate(name));
      state_->tls.use_private_key_file(certificates->key(name), boost::asio::ssl::context::pem);
      if (asks_for_certificate) {
        state_->tls.load_verify_file(certificates->authority());
        state_->tls.set_verify_mode(boost::asio::ssl::verify_peer |
                                    boost::asio::ssl::verify_fail_if_no_peer_cert);
      }
    }
    boost::asio::co_spawn(loop, accept(state_), boost::asio::detached);
  }

  static constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);

  static boost::asio::awaitable<void> accept(std::shared_ptr<State> state) {
    for (;;) {
      auto [error, socket] = co_await state->acceptor.async_accept(as_result);
      if (error) co_return;
      ++state->accepted;
      auto stream = std::make_shared<Stream>(std::move(socket), state->tls);
      state->streams.push_back(stream);
      boost::asio::co_spawn(state->acceptor.get_executor(), serve(state, stream), boost::asio::detached);
    }
  }

  static boost::asio::awaitable<void> serve(std::shared_ptr<State> state, std::shared_ptr<Stream> stream) {
    if (!state->is_tls) {
      co_await answer_all(state, stream->next_layer());
      co_return;
    }
    const auto [error] = co_await stream->async_handshake(Stream::server, as_result);
    if (!error) co_await answer_all(state, *stream);
  }

  template <typename Transport>
  static boost::asio::awaitable<void> answer_all(std::shared_ptr<State> state, Transport& transport) {
    std::string received;
    for (;;) {
      SeenRequest request;
      const auto [head_error, head_size] = co_await boost::asio::async_read_until(
          transport, boost::asio::dynamic_buffer(received), "\r\n\r\n", as_result);
      if (head_error) co_return;
      request.head = received.substr(0, head_size);
      received.erase(0, head_size);
      const std::size_t body_size = content_length(request.head);
      if (received.size() < body_size) {
        const auto [body_error, body_read] = co_await boost::asio::async_read(
            transport, boost::asio::dynamic_buffer(received),
            boost::asio::transfer_exactly(body_size - received.size()), as_result);
        if (body_error) co_return;
      }
      request.body = received.substr(0, body_size);
      received.erase(0, body_size);
      state->seen.push_back(request);
      const auto bytes = state->script(request);
      if (!bytes) continue;
      if (bytes->empty()) co_return;
      const auto [write_error, written] =
          co_await boost::asio::async_write(transport, boost::asio::buffer(*bytes), as_result);
      if (write_error) co_return;
    }
  }

  static std::size_t content_length(const std::string& head) {
    constexpr std::string_view name = "Content-Length: ";
    const auto at = head.find(name);
    return at == std::string::npos ? 0 : static_cast<std::size_t>(std::atol(head.c_str() + at + name.size()));
  }

  std::shared_ptr<State> state_;
};

}  // namespace turnpike::service
