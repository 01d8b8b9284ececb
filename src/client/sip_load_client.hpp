#pragma once
// One client of the load: a socket, its TLS, and the registration that is under way. Private to sip_load.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "client/sip_load.hpp"
#include "client/web_socket_frame.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace turnpike::client {

// What is the same for all clients of a run.
struct SipLoadCommons {
  const SipLoadSettings& settings;
  ssl_ctx_st* tls = nullptr;
  std::string ha2{};  // of "REGISTER:sip:HOME"
  // In each Call-ID and branch: a server remembers the numbers of the run before (RFC 3261 section 12.2.2).
  std::string run{};
};

class SipLoadClient {
 public:
  enum class Outcome : std::uint8_t {
    waiting,
    opened,      // the handshake is done
    registered,  // a 200
    failed,      // see failure()
  };

  SipLoadClient(const SipLoadCommons& commons, std::size_t number);
  ~SipLoadClient();
  SipLoadClient(SipLoadClient&& other) noexcept;
  SipLoadClient(const SipLoadClient&) = delete;
  SipLoadClient& operator=(const SipLoadClient&) = delete;
  SipLoadClient& operator=(SipLoadClient&&) = delete;

  // The error is the kernel's sentence.
  std::expected<void, std::string> connect(Instant now);
  void close();
  void begin(Instant now);        // a registration
  Outcome on_ready(Instant now);  // the socket can be read or written
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool wants_write() const { return is_connecting_ || out_begin_ < out_.size(); }
  [[nodiscard]] bool is_open() const { return is_open_; }
  [[nodiscard]] Instant began() const { return began_; }
  [[nodiscard]] bool had_credentials() const { return had_credentials_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  Outcome fail(std::string why);
  Outcome advance_connect();
  Outcome read();
  Outcome on_bytes(std::string_view bytes);
  Outcome take_frames();
  Outcome on_message(std::string_view text);
  void take_challenge(const sip::Message& response);
  void send_register();
  void append_digest(std::string& to);
  bool flush();
  [[nodiscard]] long read_some(char* to, std::size_t size);
  [[nodiscard]] long write_some(const char* from, std::size_t size);

  const SipLoadCommons& commons_;
  std::string user_;
  std::string head_;  // of each REGISTER, up to the branch
  std::string tail_;  // what follows the branch and does not change
  std::string ha1_;
  std::string realm_, nonce_, algorithm_;
  std::uint32_t nonce_count_ = 0;
  std::uint32_t number_ = 0;  // CSeq
  int attempts_ = 0;          // of this registration
  int descriptor_ = -1;
  ssl_st* tls_ = nullptr;
  bool is_connecting_ = false;
  bool is_securing_ = false;
  bool is_open_ = false;
  bool has_nonce_ = false;
  bool is_registering_ = false;
  bool had_credentials_ = false;
  Instant began_{};
  std::string answer_;  // to the handshake
  FrameReader frames_;
  std::string out_;
  std::size_t out_begin_ = 0;
  std::string scratch_;
  std::string failure_;
};

}  // namespace turnpike::client
