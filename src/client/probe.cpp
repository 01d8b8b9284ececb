#include "client/probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "client/probe_advice.hpp"
#include "client/probe_path.hpp"
#include "client/turn_uri.hpp"
#include "client/udp_socket.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using turn::ClientFailure;

constexpr std::size_t server_addresses_max = 4;
constexpr std::size_t peer_candidates_max = 4;
constexpr int send_indications = 3;
constexpr int greetings_max = 3;
constexpr milliseconds greeting_wait{150};
constexpr milliseconds echo_wait_max{2000};
constexpr milliseconds peer_binding_wait{1500};
constexpr milliseconds close_wait{1500};
constexpr std::size_t username_bytes_max = 508;
constexpr std::size_t token_bytes_max = 1400;
constexpr std::size_t mac_key_bytes_max = 64;

std::optional<std::string> find_credential_problem(const turn::ClientCredential& credential) {
  if (const auto* password = std::get_if<turn::PasswordCredential>(&credential)) {
    if (password->username.empty()) return "the username is empty.";
    if (password->username.size() > username_bytes_max) return "a username has at most 508 bytes (RFC 8489).";
    return std::nullopt;
  }
  const auto& token = std::get<turn::TokenCredential>(credential);
  if (token.kid.empty() || token.kid.size() > username_bytes_max) return "a kid has 1 to 508 bytes.";
  if (token.access_token.empty() || token.access_token.size() > token_bytes_max)
    return "an access token has 1 to 1400 bytes.";
  if (token.mac_key.empty() || token.mac_key.size() > mac_key_bytes_max)
    return "a mac_key has 1 to 64 bytes.";
  return std::nullopt;
}

std::optional<std::string> find_settings_problem(const ProbeSettings& settings) {
  if (settings.payload_size < probe_payload_min || settings.payload_size > probe_payload_max)
    return fmt::format("a payload has {} to {} bytes.", probe_payload_min, probe_payload_max);
  if (settings.count < 1 || settings.count > 10000) return "the count is 1 to 10000.";
  if (settings.timeout < milliseconds{100}) return "the timeout is at least 100 ms.";
  return settings.credential ? find_credential_problem(*settings.credential) : std::nullopt;
}

class ProbeRun {
 public:
  ProbeRun(const ProbeSettings& settings, const std::function<void(const ProbeEvent&)>& on_event)
      : settings_(settings), timeline_(read_clocks().mono, on_event) {
    for (std::size_t i = 0; i < probe_step_count; ++i)
      report_.steps.push_back({.name = static_cast<ProbeStepName>(i), .words = {}});
    report_.uri = settings.uri;
  }

  ProbeReport run();

 private:
  void go();
  bool prepare(TurnUri& uri);
  bool resolve(const TurnUri& uri);
  bool reach();
  bool bind_to(const SocketAddress& server);
  bool allocate();
  [[nodiscard]] bool needs_ipv6_relay() const;
  bool allocate_ipv6();
  void note_allocation();
  bool relay();
  bool permit(const SocketAddress& peer);
  void end_without_peer(const std::vector<SocketAddress>& refused, const std::optional<Diagnosis>& lost);
  std::optional<ProbeLoss> echo_by_send(SocketAddress& peer);
  bool echo_by_channel(const SocketAddress& peer);
  bool judge_channel();
  void greet();
  void close();

  [[nodiscard]] bool has_foreign_peer() const { return settings_.peer && settings_.peer->port != 0; }
  std::vector<IpAddress> choose_peers();
  std::optional<SocketAddress> open_peer(const IpAddress& ip);
  void send_echoes(const SocketAddress& peer, int count);
  [[nodiscard]] ProbeLoss loss_of(const RoundTrips& trips) const;
  bool await(FunctionRef<bool()> is_done, milliseconds timeout);
  void end_with(ProbeStepName step, Diagnosis diagnosis);
  void end_with_failure(ProbeStepName step, stun::Method method);
  [[nodiscard]] ClientFailure failure_of(stun::Method method) const;
  [[nodiscard]] ProbeEvidence evidence() const;
  ProbeStep& step(ProbeStepName name) { return report_.steps[static_cast<std::size_t>(name)]; }
  void begin(ProbeStepName name);
  void pass(ProbeStepName name, std::string words);
  void warn(ProbeStepName name, std::string words);
  void finish(ProbeStepName name, ProbeOutcome outcome, std::string words);

  ProbeSettings settings_;
  SystemRandom random_;
  Timeline timeline_;
  ProbeReport report_;
  std::vector<SocketAddress> servers_;
  std::unique_ptr<ProbePath> path_;
  double step_began_ms_ = 0;
  double path_began_ms_ = 0;
};

ProbeReport ProbeRun::run() {
  go();
  if (path_) {
    close();
    report_.description = path_->client().server();
    report_.description->nonce.clear();
  }
  report_.took_ms = timeline_.elapsed_ms();
  report_.timeline = timeline_.take();
  return std::move(report_);
}

void ProbeRun::go() {
  TurnUri uri;
  if (!prepare(uri) || !resolve(uri) || !reach() || !allocate() || !relay()) return;
  report_.exit_status = 0;
  report_.advice.clear();
  const RoundTrips& trips = report_.channel_round_trips;
  report_.verdict = fmt::format("{} relays: {} of {} packets came back through {}, round trip {:.1f} ms.",
                                report_.server->to_string(), trips.received, trips.sent,
                                report_.relayed->to_string(), trips.median_ms);
}

// --- steps ------------------------------------------------------------------------------------------------

bool ProbeRun::prepare(TurnUri& uri) {
  const auto parsed = parse_turn_uri(settings_.uri);
  const auto problem = parsed ? find_settings_problem(settings_) : std::optional{parsed.error()};
  if (!problem) {
    uri = *parsed;
    return true;
  }
  report_.verdict = *problem;
  report_.exit_status = 2;
  return false;
}

bool ProbeRun::resolve(const TurnUri& uri) {
  begin(ProbeStepName::resolve);
  auto addresses = client::resolve(uri.host, uri.port, settings_.family);
  if (!addresses) {
    end_with(ProbeStepName::resolve, diagnose_resolve(uri.host, addresses.error()));
    return false;
  }
  servers_ = std::move(*addresses);
  if (servers_.size() > server_addresses_max) servers_.resize(server_addresses_max);
  std::string list;
  for (const SocketAddress& server : servers_) list += (list.empty() ? "" : ", ") + server.to_string();
  timeline_.note("resolved " + uri.host, list);
  pass(ProbeStepName::resolve, list);
  return true;
}

// The first address that answers is the server; the last one is told when none does.
bool ProbeRun::reach() {
  begin(ProbeStepName::binding);
  for (const SocketAddress& server : servers_) {
    const bool is_last = &server == &servers_.back();
    if (bind_to(server)) return true;
    if (!path_) continue;
    if (is_last && !path_->seen().is_port_unreachable && path_->seen().send_error.empty()) {
      // Some servers answer no Binding at all: Allocate decides.
      warn(ProbeStepName::binding, "no answer to Binding; some servers offer relaying alone");
      return true;
    }
    if (is_last) end_with_failure(ProbeStepName::binding, stun::Method::binding);
  }
  return false;
}

bool ProbeRun::bind_to(const SocketAddress& server) {
  report_.server = server;
  auto socket = UdpSocket::connect(server);
  if (!socket) {
    timeline_.note("cannot reach " + server.to_string(), socket.error().message());
    ProbeEvidence known{.server = server, .send_error = socket.error().message()};
    end_with(ProbeStepName::binding, diagnose_failure({.method = stun::Method::binding}, known));
    return false;
  }
  path_ = std::make_unique<ProbePath>(std::move(*socket), server, settings_, random_, timeline_);
  path_began_ms_ = timeline_.elapsed_ms();
  report_.local = path_->local_address();
  timeline_.note("server " + server.to_string(), "UDP, from " + report_.local->to_string());
  path_->client().discover(read_clocks());
  const ProbeSeen& seen = path_->seen();
  await([&] { return seen.mapped.has_value(); }, settings_.timeout);
  if (seen.mapped) {
    report_.mapped = seen.mapped;
    const bool is_translated = *seen.mapped != *report_.local;
    pass(ProbeStepName::binding,
         is_translated ? fmt::format("it sees us as {}: a NAT stands between", seen.mapped->to_string())
                       : fmt::format("it sees us as {}: no NAT between", seen.mapped->to_string()));
    return true;
  }
  if (!seen.failure || !seen.has_answered) return false;
  warn(ProbeStepName::binding,
       fmt::format("refused with {}; that need not hinder relaying", seen.failure->code));
  return true;
}

bool ProbeRun::allocate() {
  begin(ProbeStepName::challenge);
  ProbeSeen& seen = path_->seen();
  seen.failure.reset();
  path_->client().start(read_clocks());
  await([&] { return seen.is_challenged || seen.allocated; }, settings_.timeout);
  if (needs_ipv6_relay()) return allocate_ipv6();
  if (!seen.is_challenged && !seen.allocated) {
    end_with_failure(ProbeStepName::challenge, stun::Method::allocate);
    return false;
  }
  if (seen.is_challenged) pass(ProbeStepName::challenge, describe_challenge(path_->client().server()));
  if (!settings_.credential && !seen.allocated) {
    const Diagnosis challenge = explain_challenge(evidence());
    report_.verdict = challenge.verdict;
    report_.advice = challenge.advice;
    return false;
  }
  if (!seen.is_challenged) {
    warn(ProbeStepName::challenge, "none: it relays for everybody");
    report_.warnings.emplace_back(
        "This relay asks nobody for a credential: anyone can send traffic in its name. Switch authentication "
        "on "
        "(turnpike: [credentials.*], coturn: lt-cred-mech or use-auth-secret).");
  }
  begin(ProbeStepName::allocate);
  await([&] { return seen.allocated.has_value(); }, settings_.timeout);
  if (needs_ipv6_relay()) return allocate_ipv6();
  if (!seen.allocated) {
    end_with_failure(ProbeStepName::allocate, stun::Method::allocate);
    return false;
  }
  note_allocation();
  return true;
}

// RFC 8656 section 7.2: who asks for no family gets IPv4, which a relay for IPv6 alone does not have.
bool ProbeRun::needs_ipv6_relay() const {
  const auto& failure = path_->seen().failure;
  return !settings_.relayed_family && failure && failure->code == 440;
}

bool ProbeRun::allocate_ipv6() {
  timeline_.note("no IPv4 relay address", "trying IPv6, from a new port");
  report_.warnings.emplace_back(
      "The relay has no IPv4 relay address: only clients that ask for IPv6 (REQUESTED-ADDRESS-FAMILY) can "
      "use it.");
  settings_.relayed_family = AddressFamily::ipv6;
  return bind_to(*report_.server) && allocate();
}

void ProbeRun::note_allocation() {
  const turn::Allocated& allocated = *path_->seen().allocated;
  report_.relayed = allocated.relayed.front();
  report_.lifetime = allocated.lifetime;
  if (!report_.mapped && allocated.mapped.port != 0) report_.mapped = allocated.mapped;
  const auto words =
      fmt::format("relay address {} for {} s", report_.relayed->to_string(), allocated.lifetime.count());
  const auto problems = {find_relayed_address_problem(report_.relayed->ip, report_.server->ip),
                         find_server_port_problem(report_.server->port),
                         find_relayed_port_problem(report_.relayed->port)};
  for (const auto& problem : problems)
    if (problem) report_.warnings.push_back(*problem);
  if (std::ranges::any_of(problems, &std::optional<std::string>::has_value))
    warn(ProbeStepName::allocate, words);
  else
    pass(ProbeStepName::allocate, words);
}

bool ProbeRun::relay() {
  begin(ProbeStepName::permission);
  std::vector<SocketAddress> refused;
  std::optional<Diagnosis> lost;
  for (const IpAddress& ip : choose_peers()) {
    const auto opened = open_peer(ip);
    if (!opened) continue;  // an address that went away meanwhile
    SocketAddress peer = *opened;
    if (!permit(peer)) {
      if (!path_->seen().failure || path_->seen().failure->code != 403) {
        end_with_failure(ProbeStepName::permission, stun::Method::create_permission);
        return false;
      }
      refused.push_back(peer);
      continue;
    }
    std::string others;
    for (const SocketAddress& other : refused) others += ", but not for " + other.ip.to_string();
    pass(ProbeStepName::permission, fmt::format("for the peer {}{}", ip.to_string(), others));
    if (const auto loss = echo_by_send(peer))
      lost = diagnose_loss(*loss);
    else
      return echo_by_channel(peer);
  }
  end_without_peer(refused, lost);
  return false;
}

void ProbeRun::end_without_peer(const std::vector<SocketAddress>& refused,
                                const std::optional<Diagnosis>& lost) {
  if (!refused.empty()) {
    Diagnosis diagnosis = diagnose_forbidden_peers(refused, evidence());
    if (lost) diagnosis.advice.push_back("With another address of this machine: " + lost->verdict);
    end_with(ProbeStepName::permission, std::move(diagnosis));
  } else if (lost) {
    end_with(ProbeStepName::send, *lost);
  } else {
    end_with(ProbeStepName::permission,
             {fmt::format("This machine has no address of the family of {} for a peer.",
                          report_.relayed->to_string()),
              {"Name a UDP echo service that the relay reaches: --peer IP:PORT."}});
  }
}

bool ProbeRun::permit(const SocketAddress& peer) {
  ProbeSeen& seen = path_->seen();
  seen.is_permitted = false;
  seen.failure.reset();
  report_.peer = peer;
  path_->client().permit({peer}, read_clocks());
  await([&] { return seen.is_permitted; }, settings_.timeout);
  return seen.is_permitted;
}

// A packet from the peer first: it opens a NAT before the peer, and shows where the peer really comes from.
void ProbeRun::greet() {
  for (int i = 0; !has_foreign_peer() && i < greetings_max && path_->greetings_relayed() == 0; ++i) {
    path_->greet(*report_.relayed);
    path_->run_until([&] { return path_->greetings_relayed() > 0; }, greeting_wait);
  }
}

// Nothing: it echoes.
std::optional<ProbeLoss> ProbeRun::echo_by_send(SocketAddress& peer) {
  begin(ProbeStepName::send);
  greet();
  if (path_->greeted_from() && path_->greeted_from()->ip == peer.ip) peer = *path_->greeted_from();
  report_.peer = peer;
  timeline_.add(ProbeEvent::Direction::sent, "Send indications",
                fmt::format("{} x {} bytes to the peer {}", send_indications, settings_.payload_size,
                            peer.to_string()));
  send_echoes(peer, send_indications);
  const RoundTrips trips = report_.send_round_trips = path_->echoes().summarize();
  timeline_.add(ProbeEvent::Direction::received, "Data indications",
                fmt::format("{} of {} came back", trips.received, trips.sent));
  const auto words = fmt::format("{} of {} echoed by {}, {:.1f} ms", trips.received, trips.sent,
                                 peer.to_string(), trips.median_ms);
  if (trips.received == 0) {
    finish(ProbeStepName::send, ProbeOutcome::failed, "nothing came back from " + peer.to_string());
    return loss_of(trips);
  }
  finish(ProbeStepName::send, trips.received == trips.sent ? ProbeOutcome::passed : ProbeOutcome::warned,
         words);
  return std::nullopt;
}

bool ProbeRun::echo_by_channel(const SocketAddress& peer) {
  begin(ProbeStepName::channel_bind);
  ProbeSeen& seen = path_->seen();
  seen.failure.reset();
  const std::uint16_t channel = path_->client().bind_channel(peer, read_clocks());
  await([&] { return seen.is_bound; }, settings_.timeout);
  if (!seen.is_bound) {
    end_with_failure(ProbeStepName::channel_bind, stun::Method::channel_bind);
    return false;
  }
  pass(ProbeStepName::channel_bind, fmt::format("channel {:#06x} to {}", channel, peer.to_string()));
  begin(ProbeStepName::channel_data);
  timeline_.add(ProbeEvent::Direction::sent, "ChannelData",
                fmt::format("{} x {} bytes", settings_.count, settings_.payload_size));
  send_echoes(peer, settings_.count);
  return judge_channel();
}

bool ProbeRun::judge_channel() {
  const RoundTrips trips = report_.channel_round_trips = path_->echoes().summarize();
  timeline_.add(ProbeEvent::Direction::received, "ChannelData",
                fmt::format("{} of {} came back", trips.received, trips.sent));
  if (trips.received == 0) {
    ProbeLoss loss = loss_of(trips);
    loss.by_channel = true;
    end_with(ProbeStepName::channel_data, diagnose_loss(loss));
    return false;
  }
  const auto words = fmt::format("{} of {} echoed, round trip min {:.1f} median {:.1f} max {:.1f} ms",
                                 trips.received, trips.sent, trips.min_ms, trips.median_ms, trips.max_ms);
  const int lost = trips.sent - trips.received;
  finish(ProbeStepName::channel_data, lost == 0 ? ProbeOutcome::passed : ProbeOutcome::warned, words);
  if (lost > 0)
    report_.warnings.push_back(
        fmt::format("{} of {} packets got lost: calls through this path will suffer.", lost, trips.sent));
  return true;
}

void ProbeRun::send_echoes(const SocketAddress& peer, int count) {
  path_->begin_echoes();
  for (int i = 0; i < count; ++i) {
    path_->send_numbered(peer, settings_.payload_size);
    path_->run_until([] { return false; }, settings_.interval);
  }
  path_->run_until([&] { return path_->echoes().is_complete(); }, std::min(settings_.timeout, echo_wait_max));
}

ProbeLoss ProbeRun::loss_of(const RoundTrips& trips) const {
  return {.server = *report_.server,
          .relayed = *report_.relayed,
          .peer = *report_.peer,
          .sent = trips.sent,
          .seen_by_peer = path_->echoes().seen_by_peer,
          .greetings_relayed = path_->greetings_relayed(),
          .is_foreign_peer = has_foreign_peer()};
}

void ProbeRun::close() {
  if (!path_->client().is_allocated()) return;
  begin(ProbeStepName::close);
  ProbeSeen& seen = path_->seen();
  seen.failure.reset();
  seen.refreshed.reset();
  path_->client().close(read_clocks());
  await([&] { return seen.refreshed.has_value(); }, close_wait);
  if (seen.refreshed)
    pass(ProbeStepName::close, "allocation deleted");
  else
    warn(ProbeStepName::close, "no answer to Refresh with lifetime 0: the allocation ends by itself");
}

// --- what steps share -------------------------------------------------------------------------------------

// Under which addresses the relay may reach this machine, the likeliest first.
std::vector<IpAddress> ProbeRun::choose_peers() {
  if (settings_.peer) return {settings_.peer->ip};
  const AddressFamily family = report_.relayed->ip.family();
  std::vector<IpAddress> peers;
  const auto add = [&](const IpAddress& ip) {
    const bool is_known = std::find(peers.begin(), peers.end(), ip) != peers.end();
    if (!is_known && ip.family() == family && peers.size() < peer_candidates_max) peers.push_back(ip);
  };
  if (report_.mapped) add(report_.mapped->ip);
  if (const auto local = local_address_towards(*report_.relayed)) add(*local);
  for (const IpAddress& ip : interface_addresses(family)) add(ip);
  return peers;
}

// The probe's own peer answers from the address that the relay was told, where the machine has it. Behind a
// NAT the server tells how the peer's port looks from outside.
std::optional<SocketAddress> ProbeRun::open_peer(const IpAddress& ip) {
  if (has_foreign_peer()) return settings_.peer;
  if (path_->open_peer(ip)) return SocketAddress{ip, path_->peer_port()};
  if (!path_->open_peer(ip.is_v4() ? IpAddress{} : IpAddress::v6({}))) return std::nullopt;
  if (settings_.peer || report_.server->ip.family() != ip.family())
    return SocketAddress{ip, path_->peer_port()};
  path_->discover_peer();
  path_->run_until([&] { return path_->seen().peer_mapped.has_value(); }, peer_binding_wait);
  const auto& mapped = path_->seen().peer_mapped;
  return SocketAddress{ip, mapped ? mapped->port : path_->peer_port()};
}

// Ends early on a failure, and when ICMP or the kernel says that no answer can come.
bool ProbeRun::await(FunctionRef<bool()> is_done, milliseconds timeout) {
  const ProbeSeen& seen = path_->seen();
  path_->run_until(
      [&] {
        const bool is_cut_off = !seen.has_answered && (seen.is_port_unreachable || !seen.send_error.empty());
        return is_done() || seen.failure || is_cut_off;
      },
      timeout);
  return is_done();
}

// A step that ran out of time before the machine gave up counts as what the machine would have said.
ClientFailure ProbeRun::failure_of(stun::Method method) const {
  const ProbeSeen& seen = path_->seen();
  if (seen.failure) return *seen.failure;
  const auto kind =
      seen.has_unauthentic_answer ? ClientFailure::Kind::unauthentic_answer : ClientFailure::Kind::no_answer;
  return {.kind = kind, .method = method, .code = seen.unauthentic_code};
}

ProbeEvidence ProbeRun::evidence() const {
  const ProbeSeen& seen = path_->seen();
  return {.server = *report_.server,
          .wall = read_clocks().wall,
          .waited = milliseconds{std::lround(timeline_.elapsed_ms() -
                                             (seen.has_answered ? step_began_ms_ : path_began_ms_))},
          .transmissions = seen.has_answered ? seen.transmissions : seen.packets,
          .port_unreachable = seen.is_port_unreachable && !seen.has_answered,
          .send_error = seen.has_answered ? std::string{} : seen.send_error,
          .has_answered_before = seen.has_answered,
          .realms = seen.realms,
          .description = path_->client().server(),
          .credential = settings_.credential};
}

void ProbeRun::end_with_failure(ProbeStepName name, stun::Method method) {
  end_with(name, diagnose_failure(failure_of(method), evidence()));
}

void ProbeRun::end_with(ProbeStepName name, Diagnosis diagnosis) {
  finish(name, ProbeOutcome::failed, diagnosis.verdict);
  report_.verdict = std::move(diagnosis.verdict);
  report_.advice = std::move(diagnosis.advice);
}

void ProbeRun::begin(ProbeStepName name) {
  step_began_ms_ = timeline_.elapsed_ms();
  step(name).outcome = ProbeOutcome::not_reached;
}

void ProbeRun::pass(ProbeStepName name, std::string words) {
  finish(name, ProbeOutcome::passed, std::move(words));
}

void ProbeRun::warn(ProbeStepName name, std::string words) {
  finish(name, ProbeOutcome::warned, std::move(words));
}

void ProbeRun::finish(ProbeStepName name, ProbeOutcome outcome, std::string words) {
  ProbeStep& finished = step(name);
  finished.outcome = outcome;
  finished.words = std::move(words);
  finished.took_ms = timeline_.elapsed_ms() - step_began_ms_;
}

}  // namespace

ProbeReport probe(const ProbeSettings& settings, const std::function<void(const ProbeEvent&)>& on_event) {
  return ProbeRun{settings, on_event}.run();
}

}  // namespace turnpike::client
