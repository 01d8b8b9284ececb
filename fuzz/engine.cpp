// Any sequence of what can happen to an engine: datagrams of clients, good and bad, of peers, errors, lost
// ports, timeouts, revocations. Whatever comes, what it counts is what there is, and nothing is relayed but
// for an allocation that somebody has proved.
//
// The input is a list of steps: one byte that says what happens, then what that takes.

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "base/check.hpp"
#include "credentials/nonce.hpp"
#include "credentials/registry.hpp"
#include "stun/channel_data.hpp"
#include "stun/message.hpp"
#include "target.hpp"
#include "turn/engine.hpp"
#include "turn/plain_commons.hpp"

namespace turnpike::turn {
namespace {

using std::chrono::milliseconds;
using stun::AttributeType;
using stun::Method;

constexpr std::string_view realm = "r";
constexpr std::array<std::string_view, 2> users{"a", "b"};
constexpr std::size_t steps_max = 400;

const std::array<SocketAddress, 6> peers{
    *SocketAddress::parse("93.184.216.34:5000"), *SocketAddress::parse("93.184.216.35:5000"),
    *SocketAddress::parse("[2600::9]:5000"),     *SocketAddress::parse("10.0.0.1:5000"),
    *SocketAddress::parse("93.184.216.34:5001"), *SocketAddress::parse("93.184.216.10:49152")};

// Bytes of the input, then zeros.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  [[nodiscard]] bool is_over() const { return rest_.empty(); }
  Byte byte() {
    if (rest_.empty()) return 0;
    const Byte first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  std::uint16_t number() {
    const auto high = static_cast<unsigned>(byte()) << 8;
    return static_cast<std::uint16_t>(high | byte());
  }
  Bytes bytes(std::size_t wanted) {
    const Bytes taken = rest_.first(std::min(wanted, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  Bytes rest_;
};

Settings settings_of_fuzz() {
  Settings settings;
  settings.listeners = {*SocketAddress::parse("93.184.216.1:3478")};
  for (const auto* text : {"93.184.216.10", "2600::10"}) {
    const IpAddress address = *IpAddress::parse(text);
    settings.relay_addresses.push_back({address, address});
  }
  settings.relay_port_min = 49152;
  settings.relay_port_max = 49167;
  settings.limits.allocations_per_subject = 3;
  settings.limits.permissions_per_allocation = 4;
  settings.limits.channels_per_allocation = 3;
  settings.limits.port_attempts = 3;
  settings.limits.unauthorized_per_second_per_source = 1000;
  settings.limits.bytes_per_second_per_allocation = 100000;
  return settings;
}

credentials::RegistrySettings sources_of_fuzz() {
  return {.realm = std::string{realm},
          .static_users = credentials::StaticSettings{
              .users = {{"a", Secret::from_text("p")}, {"b", Secret::from_text("p")}}}};
}

class World {
 public:
  void run(Input input) {
    for (std::size_t i = 0; i < steps_max && !input.is_over(); ++i) {
      step(input);
      drain();
      check_counts();
    }
    engine_.shut_down(now_);
    drain();
    check_counts();
    check(ports_.empty(), "a port is left open");
    check(commons_.admitted() == 0, "a quota is left counted");
    check(engine_.counters().allocations_active == 0, "an allocation is left");
  }

 private:
  void step(Input& input) {
    const Byte what = input.byte();
    const ClientPath from{0,
                          {IpAddress::v4({198, 51, 100, 7}), static_cast<std::uint16_t>(1 + what / 16 % 4)}};
    switch (what % 16) {
      case 0:
        return hear(from, input.bytes(input.byte()));
      case 1:
        return pass(milliseconds{input.number()});
      case 2:
        return pass(milliseconds{1000 * (input.number() % 1000)});
      case 3:
        return hear_peer(input);
      case 4:
        return engine_.on_peer_icmp(input.byte() % 8, peer_of(input), {input.byte(), 0, 0}, now_);
      case 5:
        failing_ports_ = input.byte() % 8;
        return;
      case 6:
        return lose_port(input.byte() % 8);
      case 7:
        return hear_channel_data(from, input);
      case 8:
        return send(from, input);
      case 9:
        revoke(input);
        return;
      case 10:
        return repeat(from);
      default:
        return ask(from, input);
    }
  }

  // A request whose attributes the input chooses, proved or nearly so.
  void ask(const ClientPath& from, Input& input) {
    constexpr std::array methods{Method::allocate,          Method::allocate,     Method::refresh,
                                 Method::create_permission, Method::channel_bind, Method::binding};
    const Method method = methods[input.byte() % methods.size()];
    std::array<Byte, 2048> buffer;
    stun::Writer writer{buffer, method, stun::Class::request, next_id()};
    const Byte form = input.byte();
    if (method == Method::allocate && form % 8 != 0) writer.add_requested_transport(17);
    const std::size_t count = input.byte() % 6;
    for (std::size_t i = 0; i < count; ++i) add_attribute(writer, input);
    prove(writer, from, form);
    if (const auto bytes = writer.finish()) hear(from, last_ = to_vector(*bytes));
  }

  void add_attribute(stun::Writer& writer, Input& input) {
    switch (input.byte() % 12) {
      case 0:
      case 1:
      case 2:
        writer.add_xor_address(AttributeType::xor_peer_address, peer_of(input));
        return;
      case 3:
      case 4:
        writer.add_channel_number(static_cast<std::uint16_t>(0x3fff + input.byte() % 6));
        return;
      case 5:
        writer.add_u32(AttributeType::lifetime, input.number() % 5000U);
        return;
      case 6:
        writer.add_even_port(input.byte() % 2 == 0);
        return;
      case 7:
        writer.add_address_family(AttributeType::additional_address_family, AddressFamily::ipv6);
        return;
      case 8:
        writer.add_address_family(AttributeType::requested_address_family,
                                  static_cast<AddressFamily>(input.byte() % 4));
        return;
      case 9:
        writer.add(AttributeType::reservation_token, token_);
        return;
      case 10:
        writer.add(AttributeType::dont_fragment, {});
        return;
      default: {
        const auto type = static_cast<AttributeType>(input.number());
        writer.add(type, input.bytes(input.byte() % 32));
      }
    }
  }

  void prove(stun::Writer& writer, const ClientPath& from, Byte form) {
    if (form / 8 % 8 == 0) return;
    const std::string_view user = users[form / 64 % 2];
    const bool is_forged = form / 8 % 8 == 1;
    const auto key = credentials::make_long_term_key(credentials::PasswordAlgorithm::md5, user, realm,
                                                     is_forged ? "forged" : "p");
    if (form / 8 % 8 != 2) writer.add_text(AttributeType::username, user);
    writer.add_text(AttributeType::realm, realm);
    writer.add_text(AttributeType::nonce,
                    form / 8 % 8 == 3 ? "n" : nonces_.mint(from.client, now_.wall).text());
    if (form % 2 == 0)
      writer.add_integrity(key.reveal());
    else
      writer.add_integrity_sha256(key.reveal());
  }

  void send(const ClientPath& from, Input& input) {
    std::array<Byte, 512> buffer;
    stun::Writer writer{buffer, Method::send, stun::Class::indication, next_id()};
    writer.add_xor_address(AttributeType::xor_peer_address, peer_of(input));
    writer.add(AttributeType::data, input.bytes(input.byte()));
    if (const auto bytes = writer.finish()) hear(from, *bytes);
  }

  void hear_channel_data(const ClientPath& from, Input& input) {
    const Bytes payload = input.bytes(input.byte());
    const auto header =
        stun::encode_channel_header(static_cast<std::uint16_t>(0x3fff + input.byte() % 6), payload.size());
    ByteVector datagram{header.begin(), header.end()};
    datagram.insert(datagram.end(), payload.begin(), payload.end());
    hear(from, datagram);
  }

  void repeat(const ClientPath& from) {
    if (!last_.empty()) hear(from, ByteVector{last_});
  }

  void hear(const ClientPath& from, Bytes datagram) {
    const auto forward = engine_.on_client_datagram(from, datagram, now_);
    if (!forward) return;
    check(running_.contains(key_of(from)), "something was relayed for nobody");
    check(ports_.contains(forward->port), "something was relayed from a port that is not open");
    check(ports_.at(forward->port).ip.family() == forward->peer.ip.family(), "families were mixed");
    check(!(forward->peer == peers[3]), "something was relayed to a private address");
    check(forward->payload.empty() ||
              (forward->payload.data() >= datagram.data() &&
               forward->payload.data() + forward->payload.size() <= datagram.data() + datagram.size()),
          "a payload lies outside of its datagram");
  }

  void hear_peer(Input& input) {
    const RelayPortId port = input.byte() % 8;
    const SocketAddress from = peer_of(input);
    const Bytes payload = input.bytes(input.byte());
    const auto deliver = engine_.on_peer_datagram(port, from, payload, now_);
    if (!deliver) return;
    check(ports_.contains(port), "something came from a port that is not open");
    check(running_.contains(key_of(deliver->to)), "something was delivered to nobody");
    ByteVector datagram{deliver->prefix.begin(), deliver->prefix.begin() + deliver->prefix_size};
    datagram.insert(datagram.end(), payload.begin(), payload.end());
    datagram.resize(datagram.size() + deliver->padding);
    const bool is_whole = stun::Message::decode(datagram) || stun::decode_channel_data(datagram);
    check(is_whole, "what was delivered does not decode");
  }

  void lose_port(RelayPortId port) { engine_.on_port_opened(port, false, now_); }

  void revoke(Input& input) {
    const std::string user{users[input.byte() % users.size()]};
    engine_.revoke({credentials::Revocation::By::username, user, now_.wall + milliseconds{input.number()}},
                   now_);
  }

  void pass(Duration duration) {
    now_.mono += duration;
    now_.wall += duration;
    engine_.on_timeout(now_);
    const auto next = engine_.next_timeout();
    check(!next || *next > now_.mono, "a deadline has passed and is still there");
  }

  void drain() {
    while (const auto effect = engine_.next_effect())
      std::visit([&](const auto& each) { obey(each); }, *effect);
  }
  void obey(const OpenPort& open) {
    check(!ports_.contains(open.port), "an open port was opened");
    const bool is_open = failing_ports_ == 0;
    if (is_open)
      ports_.emplace(open.port, open.bind);
    else
      --failing_ports_;
    engine_.on_port_opened(open.port, is_open, now_);
  }
  void obey(const ClosePort& close) { check(ports_.erase(close.port) == 1, "a closed port was closed"); }
  void obey(const SendToClient& send) {
    const auto message = stun::Message::decode(send.bytes);
    check(message.has_value(), "an answer does not decode");
    if (const auto token = message->reservation_token()) token_ = *token;
  }
  void obey(const Report& report) {
    if (const auto* created = std::get_if<AllocationCreated>(&report))
      check(running_.insert(key_of(created->path)).second, "a 5-tuple has two allocations");
    if (const auto* ended = std::get_if<AllocationEnded>(&report))
      check(running_.erase(key_of(ended->path)) == 1, "what never began has ended");
  }

  void check_counts() {
    const Counters& counters = engine_.counters();
    const std::size_t active = running_.size();
    check(counters.allocations_active == active, "the allocations are miscounted");
    check(counters.allocations_created - counters.allocations_ended == active);
    check(active <= ports_.size() && ports_.size() <= 2 * active, "ports and allocations do not go together");
    check(commons_.admitted() == active, "the quota is miscounted");
    check(counters.permissions_active <= 4 * active && counters.channels_active <= 3 * active);
    check(engine_.list_allocations(SIZE_MAX, now_).size() == active);
    check(engine_.next_timeout().has_value() || active == 0, "an allocation has no end");
  }

  static std::uint16_t key_of(const ClientPath& path) { return path.client.port; }
  static SocketAddress peer_of(Input& input) { return peers[input.byte() % peers.size()]; }
  stun::TransactionId next_id() {
    stun::TransactionId id{};
    store_big(id.data(), ++transactions_);
    return id;
  }

  Settings settings_ = settings_of_fuzz();
  Now now_{Instant{std::chrono::seconds{1000}}, from_unix_seconds(1'893'456'000)};
  SeededRandom random_{1};
  credentials::Registry registry_{sources_of_fuzz()};
  credentials::NonceMint nonces_{Secret::from_text("nonce key"), std::chrono::seconds{600}, {true, true}};
  PlainCommons commons_{settings_, random_};
  Engine engine_{settings_, registry_, nonces_, commons_, random_};
  std::map<RelayPortId, SocketAddress> ports_;
  std::set<std::uint16_t> running_;
  ReservationToken token_{};
  ByteVector last_;
  int failing_ports_ = 0;
  std::uint32_t transactions_ = 0;
};

}  // namespace
}  // namespace turnpike::turn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::turn::World{}.run({data, size});
  return 0;
}
