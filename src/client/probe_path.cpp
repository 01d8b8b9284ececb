#include "client/probe_path.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "client/probe_advice.hpp"

namespace turnpike::client {
namespace {

using Direction = ProbeEvent::Direction;
using std::chrono::milliseconds;

// A probe's packet: mark, session, number, filler. The mark's first byte is neither STUN nor ChannelData.
constexpr std::array<Byte, 4> echo_mark{'T', 'P', 'e', 1};
constexpr std::array<Byte, 4> greeting_mark{'T', 'P', 'g', 1};
constexpr int reads_per_turn = 64;
static_assert(probe_payload_min == 4 + 8 + 4);

struct ProbePacket {
  bool is_greeting = false;
  std::uint32_t number = 0;
};

ByteVector encode_packet(const std::array<Byte, 4>& mark, std::uint64_t session, std::uint32_t number,
                         std::size_t size) {
  ByteVector packet(std::max(size, probe_payload_min), Byte{'.'});
  std::copy(mark.begin(), mark.end(), packet.begin());
  store_big(packet.data() + 4, session);
  store_big(packet.data() + 12, number);
  return packet;
}

std::optional<ProbePacket> decode_packet(Bytes bytes, std::uint64_t session) {
  if (bytes.size() < probe_payload_min || load_big<std::uint64_t>(bytes.data() + 4) != session)
    return std::nullopt;
  const bool is_greeting = equal(bytes.first(4), greeting_mark);
  if (!is_greeting && !equal(bytes.first(4), echo_mark)) return std::nullopt;
  return ProbePacket{is_greeting, load_big<std::uint32_t>(bytes.data() + 12)};
}

turn::ClientSettings to_client_settings(const ProbeSettings& settings) {
  turn::ClientSettings client;
  client.credential = settings.credential.value_or(turn::PasswordCredential{});
  client.family = settings.relayed_family;
  client.password_algorithms = settings.password_algorithms;
  client.username_anonymity = settings.username_anonymity;
  return client;
}

std::string describe_login(const ProbeSettings& settings, const turn::ServerDescription& server) {
  if (!settings.credential) return {};
  if (const auto* token = std::get_if<turn::TokenCredential>(&*settings.credential))
    return fmt::format("with the access token of key \"{}\"", token->kid);
  const bool sha256 = settings.password_algorithms && server.algorithms.count > 0;
  return fmt::format("as \"{}\"{}", std::get<turn::PasswordCredential>(*settings.credential).username,
                     sha256 ? ", with SHA-256" : "");
}

double to_ms(Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

}  // namespace

RoundTrips ProbeEchoes::summarize() const {
  RoundTrips summary{.sent = static_cast<int>(sent_at.size())};
  std::vector<double> times;
  for (const auto& round_trip : round_trips)
    if (round_trip) times.push_back(to_ms(*round_trip));
  summary.received = static_cast<int>(times.size());
  if (times.empty()) return summary;
  std::sort(times.begin(), times.end());
  summary.min_ms = times.front();
  summary.median_ms = times[times.size() / 2];
  summary.max_ms = times.back();
  return summary;
}

bool ProbeEchoes::is_complete() const {
  return std::all_of(round_trips.begin(), round_trips.end(),
                     [](const auto& trip) { return trip.has_value(); });
}

ProbePath::ProbePath(UdpSocket socket, const SocketAddress& server, const ProbeSettings& settings,
                     Random& random, Timeline& timeline)
    : socket_(std::move(socket)),
      server_(server),
      settings_(settings),
      timeline_(timeline),
      client_(to_client_settings(settings), random),
      peer_client_(turn::ClientSettings{}, random),
      session_(random.next_u64()),
      now_(read_clocks()) {}

SocketAddress ProbePath::local_address() const { return socket_.local_address(); }

bool ProbePath::run_until(FunctionRef<bool()> is_done, milliseconds timeout) {
  now_ = read_clocks();
  const Instant deadline = now_.mono + timeout;
  drain();
  while (!is_done() && now_.mono < deadline) {
    wait(deadline);
    now_ = read_clocks();
    read_server();
    read_peer();
    if (const auto due = client_.next_timeout(); due && *due <= now_.mono) client_.on_timeout(now_);
    if (const auto due = peer_client_.next_timeout(); due && *due <= now_.mono) peer_client_.on_timeout(now_);
    drain();
  }
  return is_done();
}

std::expected<void, std::string> ProbePath::open_peer(const IpAddress& local) {
  auto socket = UdpSocket::open(local);
  if (!socket) return std::unexpected(socket.error().message());
  peer_socket_.emplace(std::move(*socket));
  seen_.peer_mapped.reset();
  greetings_relayed_ = 0;
  greeted_from_.reset();
  return {};
}

std::uint16_t ProbePath::peer_port() const {
  return peer_socket_ ? peer_socket_->local_address().port : std::uint16_t{0};
}

void ProbePath::discover_peer() { peer_client_.discover(read_clocks()); }

void ProbePath::greet(const SocketAddress& relayed) {
  // An error here shows as a greeting that does not arrive.
  if (peer_socket_)
    (void)peer_socket_->send_to(relayed, encode_packet(greeting_mark, session_, 0, probe_payload_min));
}

void ProbePath::send_numbered(const SocketAddress& peer, std::size_t size) {
  now_ = read_clocks();
  const auto number = static_cast<std::uint32_t>(echoes_.sent_at.size());
  echoes_.sent_at.push_back(now_.mono);
  echoes_.round_trips.emplace_back();
  client_.send(peer, encode_packet(echo_mark, session_, number, size), now_);
  drain();
}

// --- effects ----------------------------------------------------------------------------------------------

void ProbePath::drain() {
  while (auto effect = client_.next_effect()) on_effect(std::move(*effect));
  drain_peer();
}

void ProbePath::on_effect(turn::ClientEffect effect) {
  if (auto* send = std::get_if<turn::ClientSend>(&effect)) {
    if (!is_muted_) transmit(send->bytes);
  } else if (auto* traced = std::get_if<turn::Traced>(&effect)) {
    on_traced(*traced);
  } else if (auto* discovered = std::get_if<turn::Discovered>(&effect)) {
    seen_.mapped = discovered->mapped;
    timeline_.add(Direction::received, "Binding success",
                  fmt::format("it sees us as {}", discovered->mapped.to_string()));
  } else if (auto* allocated = std::get_if<turn::Allocated>(&effect)) {
    timeline_.add(Direction::received, "Allocate success",
                  fmt::format("relay address {} for {} s", allocated->relayed.front().to_string(),
                              allocated->lifetime.count()));
    seen_.allocated = std::move(*allocated);
  } else if (auto* refreshed = std::get_if<turn::Refreshed>(&effect)) {
    timeline_.add(Direction::received, "Refresh success",
                  refreshed->lifetime.count() == 0 ? "allocation deleted" : "");
    seen_.refreshed = *refreshed;
  } else if (auto* permitted = std::get_if<turn::Permitted>(&effect)) {
    timeline_.add(Direction::received, "CreatePermission success",
                  fmt::format("may relay to and from {}", permitted->peers.front().ip.to_string()));
    seen_.is_permitted = true;
  } else if (auto* bound = std::get_if<turn::ChannelBound>(&effect)) {
    timeline_.add(Direction::received, "ChannelBind success", fmt::format("channel {:#06x}", bound->channel));
    seen_.is_bound = true;
  } else if (auto* received = std::get_if<turn::Received>(&effect)) {
    on_payload(*received);
  } else if (auto* unreachable = std::get_if<turn::PeerUnreachable>(&effect)) {
    timeline_.add(Direction::received, "Data indication",
                  fmt::format("the relay met ICMP type {} code {} on the way to the peer",
                              unreachable->icmp.type, unreachable->icmp.code));
    seen_.peer_unreachable = *unreachable;
  } else if (auto* failed = std::get_if<turn::Failed>(&effect)) {
    if (!is_muted_) seen_.failure = std::move(failed->failure);
  }
}

void ProbePath::on_traced(const turn::Traced& step) {
  if (step.direction == turn::Traced::Direction::received)
    on_received(step);
  else if (!is_muted_)
    on_sent(step);
}

void ProbePath::on_sent(const turn::Traced& step) {
  ++seen_.packets;
  if (step.transmission == 1) seen_.asked = step.method;
  if (step.method == seen_.asked) seen_.transmissions = step.transmission;
  std::string result;
  if (step.transmission > 1)
    result = fmt::format("again (packet {}): no answer yet", step.transmission);
  else if (step.method == stun::Method::allocate)
    result = client_.server().nonce.empty() ? "without a credential, to see what the server asks for"
                                            : describe_login(settings_, client_.server());
  timeline_.add(Direction::sent, method_name(step.method) + " request", std::move(result));
}

void ProbePath::on_received(const turn::Traced& step) {
  seen_.has_answered = true;
  if (!step.authentic) {
    seen_.has_unauthentic_answer = true;
    seen_.unauthentic_code = step.code;
    const std::string what = step.code == 0 ? "success" : fmt::format("error {}", step.code);
    timeline_.add(Direction::received, fmt::format("{} {}", method_name(step.method), what),
                  "not signed with our key: ignored");
    return;
  }
  if (step.message_class != stun::Class::error) return;  // told with what it brings
  std::string result{stun::reason_phrase(static_cast<stun::ErrorCode>(step.code))};
  const bool is_challenge = step.method != stun::Method::binding && (step.code == 401 || step.code == 438);
  if (is_challenge) {
    seen_.realms.push_back(client_.server().realm);
    if (step.code == 401 && !seen_.is_challenged) result = describe_challenge(client_.server());
    if (step.code == 401) seen_.is_challenged = true;
    is_muted_ = is_muted_ || !settings_.credential;
  }
  timeline_.add(Direction::received, fmt::format("{} error {}", method_name(step.method), step.code),
                std::move(result));
}

void ProbePath::on_payload(const turn::Received& received) {
  const auto packet = decode_packet(received.payload, session_);
  if (!packet) return;
  if (packet->is_greeting) {
    if (greetings_relayed_++ == 0)
      timeline_.add(Direction::received, "Data indication",
                    fmt::format("the relay passes on what the peer {} sent", received.peer.to_string()));
    greeted_from_ = received.peer;
    return;
  }
  if (packet->number >= echoes_.round_trips.size()) return;
  auto& round_trip = echoes_.round_trips[packet->number];
  if (!round_trip) round_trip = read_clocks().mono - echoes_.sent_at[packet->number];
}

void ProbePath::transmit(Bytes bytes) {
  const std::error_code error = socket_.send(bytes);
  if (!error || error == std::errc::resource_unavailable_try_again) return;
  if (error == std::errc::connection_refused)
    seen_.is_port_unreachable = true;
  else
    seen_.send_error = error.message();
}

void ProbePath::drain_peer() {
  while (auto effect = peer_client_.next_effect()) {
    // What is lost on the way shows as an answer that does not come.
    if (const auto* send = std::get_if<turn::ClientSend>(&*effect); send && peer_socket_)
      (void)peer_socket_->send_to(server_, send->bytes);
    if (const auto* discovered = std::get_if<turn::Discovered>(&*effect))
      seen_.peer_mapped = discovered->mapped;
  }
}

// --- sockets ----------------------------------------------------------------------------------------------

void ProbePath::wait(Instant deadline) {
  Instant until = deadline;
  if (const auto due = client_.next_timeout()) until = std::min(until, *due);
  if (const auto due = peer_client_.next_timeout()) until = std::min(until, *due);
  const Duration left = std::max(until - read_clocks().mono, Duration{0});
  const auto whole = std::chrono::floor<std::chrono::seconds>(left);
  const timespec timeout{static_cast<time_t>(whole.count()), static_cast<long>((left - whole).count())};
  std::array<pollfd, 2> polled{pollfd{socket_.descriptor(), POLLIN, 0},
                               pollfd{peer_socket_ ? peer_socket_->descriptor() : -1, POLLIN, 0}};
  (void)::ppoll(polled.data(), polled.size(), &timeout, nullptr);  // an interruption is a turn without input
}

void ProbePath::read_server() {
  for (int i = 0; i < reads_per_turn; ++i) {
    const auto datagram = socket_.receive(buffer_);
    if (!datagram) {  // an ICMP error, told once
      if (datagram.error() == std::errc::connection_refused)
        seen_.is_port_unreachable = true;
      else
        seen_.send_error = datagram.error().message();
      continue;
    }
    if (!*datagram) return;
    client_.on_datagram((*datagram)->bytes, now_);
    drain();
  }
}

void ProbePath::read_peer() {
  for (int i = 0; peer_socket_ && i < reads_per_turn; ++i) {
    const auto datagram = peer_socket_->receive(buffer_);
    if (!datagram) continue;
    if (!*datagram) return;
    on_peer_datagram(**datagram);
  }
}

void ProbePath::on_peer_datagram(const UdpSocket::Datagram& datagram) {
  const bool looks_like_stun = !datagram.bytes.empty() && datagram.bytes[0] < 4;  // RFC 7983
  if (looks_like_stun) {
    peer_client_.on_datagram(datagram.bytes, now_);
    drain_peer();
    return;
  }
  const auto packet = decode_packet(datagram.bytes, session_);
  if (!packet || packet->is_greeting) return;
  if (echoes_.seen_by_peer++ == 0 && echoes_.sent_at.size() <= 1)
    timeline_.note("peer", fmt::format("a packet arrived from {}, echoed", datagram.from.to_string()));
  (void)peer_socket_->send_to(datagram.from, datagram.bytes);
}

}  // namespace turnpike::client
