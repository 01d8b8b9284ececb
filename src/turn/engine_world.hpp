#pragma once
// For tests: an engine with everything around it. The world is its shell: it opens the ports that it is asked
// for unless told otherwise, keeps what is sent and reported, and lets time pass from deadline to deadline.

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "credentials/issue.hpp"
#include "credentials/nonce.hpp"
#include "credentials/registry.hpp"
#include "stun/channel_data.hpp"
#include "stun/message.hpp"
#include "turn/engine.hpp"
#include "turn/plain_commons.hpp"

namespace turnpike::turn::test {

using credentials::Key;
using credentials::PasswordAlgorithm;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::Message;
using stun::Method;
using stun::Writer;

inline SocketAddress address(std::string_view text) {
  const auto parsed = SocketAddress::parse(text);
  check(parsed.has_value(), "the test's address is wrong");
  return *parsed;
}
inline IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

inline const SocketAddress listener = address("192.0.2.1:3478");
inline const SocketAddress home = address("198.51.100.7:40000");
inline const SocketAddress elsewhere = address("198.51.100.8:40000");
inline const SocketAddress peer = address("93.184.216.34:5000");
inline const SocketAddress other_peer = address("93.184.216.35:5000");
inline const SocketAddress peer6 = address("[2600::9]:5000");
inline const SocketAddress private_peer = address("10.0.0.1:5000");
inline constexpr std::string_view realm = "ims.example1";  // of 12 characters, as the marks have it
inline constexpr std::string_view server_name = "turn.ims.example";
inline constexpr std::int64_t start_of_time = 1'893'456'000;

inline Settings plain_settings() {
  Settings settings;
  settings.listeners = {listener};
  settings.relay_addresses = {{ip("192.0.2.10"), ip("192.0.2.10")}};
  return settings;
}
inline Settings dual_settings() {
  Settings settings = plain_settings();
  settings.relay_addresses.push_back({ip("2001:db8::10"), ip("2001:db8::10")});
  return settings;
}

inline credentials::TokenSettings token_settings() {
  return {.server_name = std::string{server_name},
          .keys = {{.kid = "k1", .key = Secret::from_text("0123456789abcdef0123456789abcdef")}}};
}
inline credentials::ComputedSettings computed_settings() {
  return {.secrets = {{.id = "c1", .secret = Secret::from_text("a secret of some length")}}};
}
inline credentials::RegistrySettings static_users() {
  const auto password = [](std::string_view text) { return Secret::from_text(text); };
  return {.realm = std::string{realm},
          .static_users = credentials::StaticSettings{
              .users = {{"alice", password("wonderland")}, {"bob", password("builder")}}}};
}
inline credentials::RegistrySettings all_sources() {
  auto settings = static_users();
  settings.computed = computed_settings();
  settings.pushed = credentials::PushedSettings{};
  settings.token = token_settings();
  return settings;
}
inline credentials::RegistrySettings static_and_pushed() {
  auto settings = static_users();
  settings.pushed = credentials::PushedSettings{};
  return settings;
}

// An answer, or what else a client was sent.
class Received {
 public:
  explicit Received(ByteVector bytes) : bytes_(std::make_shared<const ByteVector>(std::move(bytes))) {}
  [[nodiscard]] const ByteVector& bytes() const { return *bytes_; }
  [[nodiscard]] Message message() const {
    const auto message = Message::decode(*bytes_);
    check(message.has_value(), "the engine sent what does not decode");
    return *message;
  }
  [[nodiscard]] bool is_success() const { return message().message_class() == Class::success; }
  // 0: no error.
  [[nodiscard]] int code() const {
    const Message decoded = message();
    const auto error = decoded.error_code();
    return error ? error->code : 0;
  }
  [[nodiscard]] std::string reason() const {
    const Message decoded = message();
    return std::string{decoded.error_code()->reason};
  }
  [[nodiscard]] std::optional<std::uint32_t> lifetime() const {
    const auto field = message().u32(AttributeType::lifetime);
    return field ? std::optional{*field} : std::nullopt;
  }
  [[nodiscard]] std::vector<SocketAddress> relayed() const {
    std::vector<SocketAddress> all;
    const Message decoded = message();
    decoded.for_each([&](AttributeType type, Bytes value) {
      if (type == AttributeType::xor_relayed_address) all.push_back(*decoded.to_xor_address(value));
    });
    return all;
  }
  [[nodiscard]] std::optional<std::string> text(AttributeType type) const {
    const Message decoded = message();
    const auto field = decoded.text(type, 763);
    return field ? std::optional{std::string{*field}} : std::nullopt;
  }
  [[nodiscard]] std::optional<ReservationToken> reservation() const {
    const auto field = message().reservation_token();
    return field ? std::optional{*field} : std::nullopt;
  }

 private:
  std::shared_ptr<const ByteVector> bytes_;
};

class World {
 public:
  explicit World(Settings chosen = plain_settings(), credentials::RegistrySettings sources = static_users())
      : settings(std::move(chosen)),
        registry(std::move(sources)),
        nonces(Secret::from_text("nonce key of the world"), seconds{600},
               {settings.password_algorithms,
                settings.password_algorithms && registry.offers_username_anonymity()}),
        commons(settings, random_),
        engine(settings, registry, nonces, commons, random_) {}

  // Lets time pass, from deadline to deadline.
  void pass(Duration duration) {
    const Instant end = now.mono + duration;
    while (const auto next = engine.next_timeout()) {
      if (*next > end) break;
      advance_to(std::max(*next, now.mono));
      engine.on_timeout(now);
      drain();
    }
    advance_to(end);
  }
  // Lets it pass without telling the engine.
  void pass_unnoticed(Duration duration) { advance_to(now.mono + duration); }

  std::optional<Forward> from_client(const ClientPath& path, Bytes datagram) {
    auto forward = engine.on_client_datagram(path, datagram, now);
    drain();
    return forward;
  }
  std::optional<Deliver> from_peer(RelayPortId port, const SocketAddress& from, Bytes datagram) {
    auto deliver = engine.on_peer_datagram(port, from, datagram, now);
    drain();
    return deliver;
  }
  std::size_t revoke(const credentials::Revocation& revocation) {
    const std::size_t count = engine.revoke(revocation, now);
    drain();
    return count;
  }

  void drain() {
    while (auto effect = engine.next_effect()) std::visit([&](auto& each) { obey(each); }, *effect);
  }

  // What the client was sent since the last call; nothing, or one datagram.
  std::optional<Received> take_sent(const ClientPath& to) {
    std::optional<Received> taken;
    std::erase_if(sent_, [&](const SendToClient& each) {
      if (!(each.to == to)) return false;
      check(!taken, "one datagram at most was expected");
      taken = Received{each.bytes};
      return true;
    });
    return taken;
  }
  template <typename Kind>
  std::vector<Kind> take_reports() {
    std::vector<Kind> taken;
    std::erase_if(reports_, [&](const Report& report) {
      const Kind* kind = std::get_if<Kind>(&report);
      if (kind != nullptr) taken.push_back(*kind);
      return kind != nullptr;
    });
    return taken;
  }
  [[nodiscard]] std::optional<RelayPortId> find_port(const SocketAddress& bind) const {
    for (const auto& [port, bound] : open_ports)
      if (bound == bind) return port;
    return std::nullopt;
  }

  Settings settings;
  Now now{Instant{seconds{1000}}, from_unix_seconds(start_of_time)};

 private:
  SeededRandom random_{7};

 public:
  credentials::Registry registry;
  credentials::NonceMint nonces;
  PlainCommons commons;
  Engine engine;
  std::map<RelayPortId, SocketAddress> open_ports;
  std::vector<SocketAddress> asked_ports;
  int failing_ports = 0;                       // so many openings fail from now on
  std::optional<AddressFamily> closed_family;  // whose ports cannot be opened
  SeededRandom& random() { return random_; }

 private:
  void advance_to(Instant at) {
    now.wall += at - now.mono;
    now.mono = at;
  }
  void obey(SendToClient& send) { sent_.push_back(std::move(send)); }
  void obey(const Report& report) { reports_.push_back(report); }
  void obey(const ClosePort& close) {
    check(open_ports.erase(close.port) == 1, "a port was closed that is not open");
  }
  void obey(const OpenPort& open) {
    check(!open_ports.contains(open.port), "a port was opened that is open");
    asked_ports.push_back(open.bind);
    const bool fails = closed_family == open.bind.ip.family() || failing_ports > 0;
    if (failing_ports > 0) --failing_ports;
    if (!fails) open_ports.emplace(open.port, open.bind);
    engine.on_port_opened(open.port, !fails, now);
  }

  std::vector<SendToClient> sent_;
  std::vector<Report> reports_;
};

inline credentials::IssuedToken issue(World& world, seconds lifetime, std::string_view kid_suffix = "") {
  auto issued =
      credentials::issue_token(token_settings(), kid_suffix, world.now.wall, lifetime, world.random());
  check(issued.has_value(), "no token was issued");
  return std::move(*issued);
}

// A client that says what the test wants, well-formed or not.
class Caller {
 public:
  explicit Caller(World& world, const SocketAddress& at = home) : world_(&world), path{0, at} {}

  // Writes and sends a request with the attributes that `fill` adds, then identity and integrity.
  template <typename Fill>
  std::optional<Received> ask(Method method, Fill fill) {
    last_ = write(method, fill);
    return repeat();
  }
  std::optional<Received> ask(Method method) {
    return ask(method, [](Writer&) {});
  }
  std::optional<Received> repeat() {
    check(!world_->from_client(path, last_), "a request is not relayed");
    return world_->take_sent(path);
  }
  [[nodiscard]] const ByteVector& last() const { return last_; }

  std::optional<Received> try_allocate() {
    return allocate_with([](Writer&) {});
  }
  template <typename Fill>
  std::optional<Received> allocate_with(Fill fill) {
    return ask(Method::allocate, [&](Writer& writer) {
      writer.add_requested_transport(17);
      fill(writer);
    });
  }
  // Through to an allocation.
  Received allocate() {
    const auto answer = try_allocate();
    check(answer && answer->is_success(), "the allocation failed");
    return *answer;
  }
  std::optional<Received> refresh(std::optional<std::uint32_t> lifetime = {}) {
    return ask(Method::refresh, [&](Writer& writer) {
      if (lifetime) writer.add_u32(AttributeType::lifetime, *lifetime);
    });
  }
  std::optional<Received> permit(const std::vector<SocketAddress>& peers) {
    return ask(Method::create_permission, [&](Writer& writer) {
      for (const SocketAddress& each : peers) writer.add_xor_address(AttributeType::xor_peer_address, each);
    });
  }
  std::optional<Received> bind(std::uint16_t number, const SocketAddress& to) {
    return ask(Method::channel_bind, [&](Writer& writer) {
      writer.add_channel_number(number).add_xor_address(AttributeType::xor_peer_address, to);
    });
  }
  std::optional<Forward> send(const SocketAddress& to, std::string_view payload, bool dont_fragment = false) {
    return indicate([&](Writer& writer) {
      writer.add_xor_address(AttributeType::xor_peer_address, to);
      if (dont_fragment) writer.add(AttributeType::dont_fragment, {});
      writer.add_text(AttributeType::data, payload);
    });
  }
  template <typename Fill>
  std::optional<Forward> indicate(Fill fill) {
    last_ = written(Method::send, Class::indication, fill);
    return world_->from_client(path, last_);
  }
  std::optional<Forward> send_on(std::uint16_t channel, std::string_view payload) {
    const auto header = stun::encode_channel_header(channel, payload.size());
    last_ = to_vector(header);
    last_.insert(last_.end(), payload.begin(), payload.end());
    return world_->from_client(path, last_);
  }

  // Takes another identity with the key that belongs to it.
  void become(std::string_view name, std::string_view password) {
    username = name;
    key = credentials::make_long_term_key(algorithm.value_or(PasswordAlgorithm::md5), name, realm, password);
  }
  void take(const credentials::IssuedToken& issued) {
    username = issued.kid;
    key = Key{issued.mac_key.reveal()};
    token = issued.access_token;
  }
  // The request's own bytes, for those who want to spoil them.
  template <typename Fill>
  ByteVector write(Method method, Fill fill) {
    return written(method, Class::request, [&](Writer& writer) {
      fill(writer);
      if (is_anonymous) return;
      add_identity(writer);
      if (integrity != Integrity::none) add_integrity(writer);
    });
  }

 private:
  template <typename Fill>
  ByteVector written(Method method, Class message_class, Fill fill) {
    ByteVector buffer(4096);
    store_big(id_.data(), ++transactions_);
    store_big(id_.data() + 8, static_cast<std::uint32_t>(path.client.port));
    Writer writer{buffer, method, message_class, id_};
    fill(writer);
    if (has_fingerprint) writer.add_fingerprint();
    const auto bytes = writer.finish();
    check(bytes.has_value(), "the test's message does not fit");
    return to_vector(*bytes);
  }
  void add_identity(Writer& writer) {
    if (is_hashed)
      writer.add(AttributeType::userhash, credentials::make_userhash(username, realm));
    else
      writer.add_text(AttributeType::username, username);
    writer.add_text(AttributeType::realm, claimed_realm);
    const auto fresh = world_->nonces.mint(path.client, world_->now.wall);
    writer.add_text(AttributeType::nonce, nonce ? std::string_view{*nonce} : fresh.text());
    if (!token.empty()) writer.add(AttributeType::access_token, token);
    if (!algorithm) return;
    writer.add_password_algorithms({{2, 1}, 2});
    writer.add_password_algorithm(*algorithm == PasswordAlgorithm::sha256
                                      ? stun::PasswordAlgorithmValue::sha256
                                      : stun::PasswordAlgorithmValue::md5);
  }
  void add_integrity(Writer& writer) {
    if (integrity == Integrity::sha1 || has_both) writer.add_integrity(key.reveal());
    if (integrity == Integrity::sha256 || has_both) writer.add_integrity_sha256(key.reveal());
  }

  World* world_;
  ByteVector last_;
  stun::TransactionId id_{};
  std::uint64_t transactions_ = 0;

 public:
  enum class Integrity : std::uint8_t { none, sha1, sha256 };
  ClientPath path;
  std::string username = "alice";
  Key key = credentials::make_long_term_key(PasswordAlgorithm::md5, "alice", realm, "wonderland");
  std::string claimed_realm{realm};
  std::optional<std::string> nonce;  // none: a fresh one
  std::optional<PasswordAlgorithm> algorithm;
  ByteVector token;
  Integrity integrity = Integrity::sha1;
  bool has_both = false;
  bool is_hashed = false;
  bool is_anonymous = false;  // shows nothing
  bool has_fingerprint = false;
};

}  // namespace turnpike::turn::test
