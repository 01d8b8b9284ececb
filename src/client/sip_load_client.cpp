#include "client/sip_load_client.hpp"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/crypto.hpp"
#include "base/native_address.hpp"
#include "sip/headers.hpp"

namespace turnpike::client {
namespace {

constexpr int attempts_max = 3;
constexpr std::string_view cnonce = "0a4f113b";

std::string last_error() { return std::generic_category().message(errno); }

std::string hash_of(sip::DigestHash hash, std::string_view text) {
  return hash == sip::DigestHash::md5 ? to_hex(crypto::md5(as_bytes(text)))
                                      : to_hex(crypto::sha256(as_bytes(text)));
}

}  // namespace

SipLoadClient::SipLoadClient(const SipLoadCommons& commons, std::size_t number) : commons_(commons) {
  const SipLoadSettings& settings = commons.settings;
  user_ = fmt::format("{}{}@{}", settings.user_prefix, number, settings.home);
  const std::string host = fmt::format("l{}.invalid", number);
  head_ = fmt::format("REGISTER sip:{} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{}{}x", settings.home,
                      settings.is_secure ? "WSS" : "WS", host, commons.run, number);
  tail_ = fmt::format(
      ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:{0}>;tag=l{1}\r\nTo: <sip:{0}>\r\nCall-ID: {6}load{1}\r\n"
      "Supported: path, outbound, gruu\r\n"
      "Contact: <sip:{2}{1}@{3};transport=ws>;reg-id=1;"
      "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-{1:012x}>\"\r\nExpires: {4}\r\n{5}"
      "Content-Length: 0\r\nCSeq: ",
      user_, number, settings.user_prefix, host, settings.expires.count(),
      settings.asks_credentials ? "Turn-Credentials: request\r\n" : "", commons.run);
}

SipLoadClient::SipLoadClient(SipLoadClient&& other) noexcept
    : commons_(other.commons_),
      user_(std::move(other.user_)),
      head_(std::move(other.head_)),
      tail_(std::move(other.tail_)) {
  // Clients move before they connect alone.
}

SipLoadClient::~SipLoadClient() { close(); }

std::expected<void, std::string> SipLoadClient::connect(Instant now) {
  close();
  const NativeAddress address{commons_.settings.server};
  descriptor_ = ::socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) return std::unexpected(last_error());
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(descriptor_, &address.any, address.size) != 0 && errno != EINPROGRESS) {
    auto why = last_error();
    close();
    return std::unexpected(std::move(why));
  }
  began_ = now;
  is_connecting_ = true;
  return {};
}

void SipLoadClient::close() {
  if (tls_ != nullptr) SSL_free(std::exchange(tls_, nullptr));
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  is_connecting_ = is_securing_ = is_open_ = has_nonce_ = is_registering_ = false;
  answer_.clear();
  frames_ = {};
  out_.clear();
  out_begin_ = 0;
}

void SipLoadClient::begin(Instant now) {
  if (commons_.settings.mode != SipLoadMode::fresh) began_ = now;
  if (commons_.settings.mode != SipLoadMode::reuse) has_nonce_ = false;
  attempts_ = 0;
  is_registering_ = true;
  send_register();
  flush();
}

SipLoadClient::Outcome SipLoadClient::on_ready(Instant) {
  if (is_connecting_ || is_securing_)
    if (const Outcome outcome = advance_connect(); outcome != Outcome::opened) return outcome;
  if (!flush()) return fail("the connection broke: " + last_error());
  return read();
}

SipLoadClient::Outcome SipLoadClient::fail(std::string why) {
  failure_ = std::move(why);
  close();
  return Outcome::failed;
}

// `opened`: TCP and TLS are there, and the upgrade is on its way.
SipLoadClient::Outcome SipLoadClient::advance_connect() {
  if (is_connecting_) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail("no connection: " + std::generic_category().message(error));
    is_connecting_ = false;
    if (commons_.tls != nullptr) {
      tls_ = SSL_new(commons_.tls);
      SSL_set_fd(tls_, descriptor_);
      SSL_set_connect_state(tls_);
      is_securing_ = true;
    }
  }
  if (is_securing_) {
    const int result = SSL_do_handshake(tls_);
    if (result != 1) {
      const int why = SSL_get_error(tls_, result);
      if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return Outcome::waiting;
      ERR_clear_error();
      return fail("the TLS handshake failed");
    }
    is_securing_ = false;
  }
  out_ = make_upgrade(commons_.settings.server.to_string(), commons_.settings.path);
  out_begin_ = 0;
  return Outcome::opened;
}

long SipLoadClient::read_some(char* to, std::size_t size) {
  if (tls_ == nullptr) return ::recv(descriptor_, to, size, 0);
  std::size_t got = 0;
  if (SSL_read_ex(tls_, to, size, &got) == 1) return static_cast<long>(got);
  const int why = SSL_get_error(tls_, 0);
  ERR_clear_error();
  if (why == SSL_ERROR_ZERO_RETURN) return 0;
  errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
  return -1;
}

long SipLoadClient::write_some(const char* from, std::size_t size) {
  if (tls_ == nullptr) return ::send(descriptor_, from, size, MSG_NOSIGNAL);
  std::size_t put = 0;
  if (SSL_write_ex(tls_, from, size, &put) == 1) return static_cast<long>(put);
  const int why = SSL_get_error(tls_, 0);
  ERR_clear_error();
  errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
  return -1;
}

bool SipLoadClient::flush() {
  while (out_begin_ < out_.size()) {
    const long put = write_some(out_.data() + out_begin_, out_.size() - out_begin_);
    if (put < 0) return errno == EAGAIN;
    out_begin_ += static_cast<std::size_t>(put);
  }
  out_.clear();
  out_begin_ = 0;
  return true;
}

// One read is one answer, as a rule; the event comes again when there is more.
SipLoadClient::Outcome SipLoadClient::read() {
  std::array<char, 16384> buffer;
  while (true) {
    const long got = read_some(buffer.data(), buffer.size());
    if (got == 0) return fail("the server closed the connection");
    if (got < 0) return errno == EAGAIN ? Outcome::waiting : fail("the connection broke: " + last_error());
    const Outcome outcome = on_bytes({buffer.data(), static_cast<std::size_t>(got)});
    const bool may_hold_more = tls_ != nullptr && SSL_pending(tls_) > 0;
    if (outcome != Outcome::waiting || !may_hold_more) return outcome;
  }
}

SipLoadClient::Outcome SipLoadClient::on_bytes(std::string_view bytes) {
  if (is_open_) {
    frames_.append(bytes);
    return take_frames();
  }
  answer_ += bytes;
  const auto upgrade = parse_upgrade_answer(answer_);
  if (!upgrade) return answer_.size() > 8192 ? fail("the handshake's answer is too long") : Outcome::waiting;
  if (upgrade->status != 101) return fail(fmt::format("the WebSocket was refused with {}", upgrade->status));
  is_open_ = true;
  frames_.append(std::string_view{answer_}.substr(upgrade->size));
  return Outcome::opened;
}

SipLoadClient::Outcome SipLoadClient::take_frames() {
  while (true) {
    const auto frame = frames_.next();
    if (!frame) return fail("what came is no WebSocket frame");
    if (!*frame) return Outcome::waiting;
    if ((*frame)->kind == FrameKind::close) return fail("the server closed the WebSocket");
    if ((*frame)->kind == FrameKind::ping) {
      append_frame(out_, FrameKind::pong, (*frame)->payload);
      flush();
    }
    if ((*frame)->kind != FrameKind::message) continue;
    const Outcome outcome = on_message((*frame)->payload);
    if (outcome != Outcome::waiting) return outcome;
  }
}

SipLoadClient::Outcome SipLoadClient::on_message(std::string_view text) {
  const auto message = sip::Message::parse(text);
  if (!message || !message->is_response() || message->status_code() < 200 || !is_registering_)
    return Outcome::waiting;
  const std::uint16_t code = message->status_code();
  if (code == 401 || code == 407) {
    if (++attempts_ >= attempts_max) return fail("challenged again and again: is the password right?");
    take_challenge(*message);
    if (!has_nonce_) return fail("the challenge has no digest of this hash");
    send_register();
    return flush() ? Outcome::waiting : fail("the connection broke: " + last_error());
  }
  is_registering_ = false;
  if (code >= 300) return fail(fmt::format("{} {}", code, message->reason()));
  had_credentials_ = message->has(sip::HeaderName::turn_credentials);
  return Outcome::registered;
}

void SipLoadClient::take_challenge(const sip::Message& response) {
  has_nonce_ = false;
  for (auto row = response.find_row(sip::HeaderName::www_authenticate); row;
       row = response.find_row(sip::HeaderName::www_authenticate, *row + 1)) {
    const auto challenge = sip::Credentials::parse(response.header(*row).value);
    if (!challenge || !challenge->is_digest()) continue;
    const auto algorithm = challenge->text("algorithm");
    const auto known = algorithm ? sip::parse_digest_algorithm(*algorithm) : sip::DigestAlgorithm{};
    if (known != sip::DigestAlgorithm{.hash = commons_.settings.hash}) continue;
    auto realm = challenge->text("realm").value_or("");
    nonce_ = challenge->text("nonce").value_or("");
    algorithm_ = algorithm.value_or("");
    if (realm != realm_ || ha1_.empty())
      ha1_ = sip::make_ha1(commons_.settings.hash, user_, realm, commons_.settings.password.reveal_text());
    realm_ = std::move(realm);
    nonce_count_ = 0;
    has_nonce_ = true;
    return;
  }
}

void SipLoadClient::append_digest(std::string& to) {
  if (!has_nonce_) {
    fmt::format_to(std::back_inserter(to),
                   "Digest username=\"{}\", realm=\"{}\", nonce=\"\", uri=\"sip:{}\", response=\"\"", user_,
                   commons_.settings.home, commons_.settings.home);
    return;
  }
  const std::string count = fmt::format("{:08x}", ++nonce_count_);
  const std::string response = hash_of(
      commons_.settings.hash, fmt::format("{}:{}:{}:{}:auth:{}", ha1_, nonce_, count, cnonce, commons_.ha2));
  fmt::format_to(std::back_inserter(to),
                 "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"sip:{}\", response=\"{}\"{}{}, "
                 "qop=auth, nc={}, cnonce=\"{}\"",
                 user_, realm_, nonce_, commons_.settings.home, response,
                 algorithm_.empty() ? "" : ", algorithm=", algorithm_, count, cnonce);
}

void SipLoadClient::send_register() {
  scratch_.clear();
  ++number_;
  fmt::format_to(std::back_inserter(scratch_), "{}{}{}{} REGISTER\r\nAuthorization: ", head_, number_, tail_,
                 number_);
  append_digest(scratch_);
  scratch_ += "\r\n\r\n";
  append_frame(out_, FrameKind::message, scratch_);
}

}  // namespace turnpike::client
