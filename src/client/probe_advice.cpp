#include "client/probe_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/browser_ports.hpp"

namespace turnpike::client {
namespace {

using turn::ClientFailure;

bool is_token(const ProbeEvidence& evidence) {
  return evidence.credential && std::holds_alternative<turn::TokenCredential>(*evidence.credential);
}

std::string_view name_of(const ProbeEvidence& evidence) {
  if (!evidence.credential) return {};
  if (const auto* password = std::get_if<turn::PasswordCredential>(&*evidence.credential))
    return password->username;
  return std::get<turn::TokenCredential>(*evidence.credential).kid;
}

std::string in_words(std::chrono::milliseconds time) {
  return fmt::format("{:.1f} s", static_cast<double>(time.count()) / 1000);
}

std::string in_words(std::int64_t seconds) {
  if (seconds < 120) return fmt::format("{} seconds", seconds);
  if (seconds < 2 * 3600) return fmt::format("{} minutes", seconds / 60);
  if (seconds < 2 * 86400) return fmt::format("{} hours", seconds / 3600);
  return fmt::format("{} days", seconds / 86400);
}

std::string to_utc(std::int64_t seconds) {
  const std::chrono::sys_seconds at{std::chrono::seconds{seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{at - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

bool is_in(const IpAddress& ip, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return IpPrefix::parse(prefix)->contains(ip); });
}

bool is_loopback(const IpAddress& ip) { return is_in(ip, {"127.0.0.0/8", "::1/128"}); }

bool is_private(const IpAddress& ip) {
  return is_in(ip, {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
                    "fc00::/7", "fe80::/10"});
}

// --- no answer --------------------------------------------------------------------------------------------

Diagnosis diagnose_silence(const ClientFailure& failure, const ProbeEvidence& evidence) {
  const std::string server = evidence.server.to_string();
  const std::string port = std::to_string(evidence.server.port);
  if (evidence.port_unreachable)
    return {
        fmt::format("Nothing listens on UDP port {} of {}: it says \"port unreachable\".", port,
                    evidence.server.ip.to_string()),
        {"Is the TURN server running? On its host, `ss -lunp` lists the UDP ports that are open.",
         fmt::format("Is {} the right port? TURN over UDP is on 3478 as a rule; 5349 is for TLS.", port),
         "Does the server listen on this address? It may be bound to another one (turnpike: [turn] listen, "
         "coturn: listening-ip).",
         "A firewall that rejects packets, instead of dropping them, answers in the same way."}};
  if (!evidence.send_error.empty())
    return {fmt::format("This machine cannot send to {}: {}.", server, evidence.send_error),
            {"Is there a network, and a route for this address family? Try --ipv4 or --ipv6."}};
  if (evidence.has_answered_before)
    return {
        fmt::format("{} has answered before, but not {}: {} packets in {} without an answer.", server,
                    method_name(failure.method), evidence.transmissions, in_words(evidence.waited)),
        {"A server that answers Binding but not Allocate may offer STUN alone: is relaying switched on?",
         "A server falls silent towards an address that fails to log in too often: wait a minute, then try "
         "again.",
         "If it happens now and then, packets get lost on the way: try again, or with a longer --timeout."}};
  return {
      fmt::format("No answer from {}: {} packets in {}, nothing came back.", server, evidence.transmissions,
                  in_words(evidence.waited)),
      {fmt::format("Is {} the right host and port? TURN over UDP is on 3478 as a rule.", server),
       fmt::format("Does a firewall let UDP {} in? Cloud hosts need a rule in their security group as well.",
                   port),
       "Does this network let UDP out? Many company and hotel networks do not: try from another one, such as "
       "a phone's.",
       "Does the server run, and does it speak UDP? Some offer TCP and TLS alone."}};
}

// --- 401 --------------------------------------------------------------------------------------------------

void add_token_advice(const ProbeEvidence& evidence, std::vector<std::string>& advice) {
  const auto& token = std::get<turn::TokenCredential>(*evidence.credential);
  if (!evidence.description.token_server_name) {
    advice.push_back(
        "This server does not say that it takes tokens (no THIRD-PARTY-AUTHORIZATION in its challenge): is "
        "its token source configured? (turnpike: [credentials.token], coturn: --oauth)");
  } else {
    advice.push_back(
        fmt::format("The token must be made for the server name \"{}\", which this server announces.",
                    *evidence.description.token_server_name));
  }
  advice.push_back(
      fmt::format("Does the server know the key \"{}\" (kid)? Has the token expired?", token.kid));
  advice.push_back(
      token.coturn16
          ? "Only the first 16 bytes of the mac_key were used, as coturn does; a server that follows "
            "RFC 7635 wants all of them: leave that option out."
          : "coturn uses only the first 16 bytes of the mac_key: try the coturn16 option, if this is "
            "coturn.");
}

Diagnosis diagnose_expired(const UsernameExpiry& expiry, const ProbeEvidence& evidence) {
  return {fmt::format("Refused: the username \"{}\" {}.", name_of(evidence), expiry.words),
          {"Get a new credential; these names carry their own end and cannot be prolonged.",
           "If it was made just now, the clocks of this machine, of the issuer or of the server disagree."}};
}

Diagnosis diagnose_unauthenticated(const ClientFailure& failure, const ProbeEvidence& evidence) {
  const std::string name{name_of(evidence)};
  const auto expiry = find_username_expiry(name, evidence.wall);
  if (!is_token(evidence) && expiry && expiry->is_expired) return diagnose_expired(*expiry, evidence);
  Diagnosis diagnosis;
  auto& advice = diagnosis.advice;
  diagnosis.verdict =
      failure.method == stun::Method::allocate
          ? fmt::format(
                "Refused with 401: the server does not accept this credential ({} \"{}\") in its realm "
                "\"{}\".",
                is_token(evidence) ? "kid" : "username", name, evidence.description.realm)
          : fmt::format("Refused with 401 in {}, although Allocate was accepted with the same credential.",
                        method_name(failure.method));
  if (is_token(evidence)) {
    add_token_advice(evidence, advice);
    return diagnosis;
  }
  if (evidence.realms.size() > 1 && evidence.realms.front() != evidence.realms.back())
    advice.push_back(
        fmt::format("The server changed its realm from \"{}\" to \"{}\" during the attempt: behind this "
                    "address there may be several servers with different settings.",
                    evidence.realms.front(), evidence.realms.back()));
  if (expiry) {
    advice.push_back(
        fmt::format("The username {}; so the password is probably wrong: it is base64(HMAC-SHA1(secret, "
                    "username)), made with the server's own secret and the whole username.",
                    expiry->words));
  } else {
    advice.push_back(
        "Is the password right? A wrong one and an unknown user look the same from outside. Mind characters "
        "that "
        "the shell changes ($, !, spaces): put single quotes around it.");
    advice.push_back(
        "If the server hands out short-lived credentials (a name that begins with a time stamp), a user "
        "name of your own is unknown to it: get a credential first.");
  }
  advice.push_back(
      fmt::format("Does the server know this user in the realm \"{}\"? Stored keys are made for one "
                  "realm: a key made for another one never fits.",
                  evidence.description.realm));
  if (evidence.description.token_server_name)
    advice.push_back(fmt::format("The server also takes RFC 7635 tokens for \"{}\".",
                                 *evidence.description.token_server_name));
  return diagnosis;
}

// --- other refusals ---------------------------------------------------------------------------------------

Diagnosis diagnose_code(const ClientFailure& failure, const ProbeEvidence& evidence) {
  switch (failure.code) {
    case 300:
      return {fmt::format("This server sends us to another one{}.",
                          failure.alternate ? ": " + failure.alternate->to_string() : ""),
              {failure.alternate ? fmt::format("Probe that one: turn:{}", failure.alternate->to_string())
                                 : "It does not say which: ask whoever runs it."}};
    case 400:
      return {"The server calls the request malformed (400).",
              {"Does a proxy or a NAT with a \"helper\" change packets? Try from another network.",
               "If this server and this program agree in the documents only, it is a bug of one of them: the "
               "timeline "
               "above helps whoever looks at it. --no-sha256 falls back to the older way to log in."}};
    case 403:
      return {fmt::format("{} is forbidden (403).", method_name(failure.method)),
              {"The server's rules refuse this user or this address; its log says which rule."}};
    case 420:
      return {"The server does not know an attribute that the request needs (420).",
              {"Leave out what is special: the address family, tokens, an old server may lack them."}};
    case 437:
      return {
          fmt::format("The server has {} (437, Allocation Mismatch).",
                      failure.method == stun::Method::allocate ? "an allocation for this port already"
                                                               : "lost the allocation that it gave before"),
          {failure.method == stun::Method::allocate
               ? "Try again: each probe uses a new local port. If it stays, a NAT gives many clients one "
                 "port."
               : "Was the server restarted, or the credential revoked, during the probe? Several servers "
                 "behind "
                 "one address without affinity per client look like this too."}};
    case 438:
      return {
          "The server calls every nonce stale (438), even those that it has just given.",
          {"Several servers behind one address, with different nonce keys and no affinity per client, look "
           "like "
           "this.",
           "A NAT that changes the client's port for each packet looks like this too, as does a server whose "
           "clock jumps."}};
    case 440:
    case 443:
      return {fmt::format("The relay has no address of the family that was asked for ({}).", failure.code),
              {"Leave the relayed family out, or give the server a relay address of that family (turnpike: "
               "[turn] "
               "relay_addresses, coturn: relay-ip)."}};
    case 441:
      return {"Wrong Credentials (441): this port holds an allocation of another user.",
              {"Try again: each probe uses a new local port.",
               "If it stays, the server changes the user name on its own (an alias or a realm mapping)."}};
    case 442:
      return {"The server does not relay UDP (442).", {"Is it configured for TCP relaying alone?"}};
    case 486:
      return {fmt::format("The quota of allocations is used up (486) for \"{}\".", name_of(evidence)),
              {"Earlier sessions that were not closed count until they expire, ten minutes as a rule: wait.",
               "Raise the quota: turnpike [turn.limits] allocations_per_subject, coturn user-quota and "
               "total-quota."}};
    case 508:
      return {
          "The server has no relay port left (508, Insufficient Capacity).",
          {"Widen the port range (turnpike: [turn] relay_ports, coturn: min-port and max-port).",
           "Can the server bind its relay address? A relay address that is not on the host looks like this "
           "(turnpike: bind/advertised, coturn: external-ip)."}};
    case 500:
      return {"The server has an error of its own (500).", {"Its log should say which."}};
    default:
      return {fmt::format("The server refuses {} with {} {}.", method_name(failure.method), failure.code,
                          failure.reason),
              {"Its log should say why."}};
  }
}

Diagnosis diagnose_unauthentic(const ClientFailure& failure, const ProbeEvidence& evidence) {
  const std::string answer = failure.code == 0 ? "success" : fmt::format("error {}", failure.code);
  Diagnosis diagnosis{
      fmt::format(
          "{} answers {} with {}, but does not prove that it knows our key: such answers are not believed.",
          evidence.server.to_string(), method_name(failure.method), answer),
      {"Something between here and the server may answer in its place, or change its answers."}};
  if (failure.code != 0) {
    const Diagnosis if_true = diagnose_code(failure, evidence);
    diagnosis.advice.push_back(
        fmt::format("Some servers do not sign their errors. If this one is honest: {}", if_true.verdict));
    diagnosis.advice.insert(diagnosis.advice.end(), if_true.advice.begin(), if_true.advice.end());
  }
  if (is_token(evidence))
    diagnosis.advice.push_back(
        "With tokens: does the server use the whole mac_key? coturn uses its first 16 bytes "
        "alone (the coturn16 option).");
  return diagnosis;
}

}  // namespace

Diagnosis diagnose_resolve(const std::string& host, const std::string& error) {
  return {fmt::format("The name \"{}\" has no address: {}.", host, error),
          {"Is it spelled right? `getent ahosts NAME` asks the same resolver.",
           "Does this machine reach its name server? An IP address in the URI avoids the question."}};
}

Diagnosis diagnose_failure(const ClientFailure& failure, const ProbeEvidence& evidence) {
  switch (failure.kind) {
    case ClientFailure::Kind::no_answer:
      return diagnose_silence(failure, evidence);
    case ClientFailure::Kind::unauthentic_answer:
      return diagnose_unauthentic(failure, evidence);
    case ClientFailure::Kind::bid_down:
      return {
          "The server's challenge contradicts itself: its nonce promises SHA-256, but the list of algorithms "
          "is "
          "missing. Somebody on the way may have removed it to weaken the login, so nothing was sent.",
          {"Try from another network. If it is the same everywhere, the server is wrong; --no-sha256 logs in "
           "the older way, at your own risk."}};
    case ClientFailure::Kind::malformed_answer:
      return {
          fmt::format(
              "The answer to {} is malformed: it lacks what RFC 8656 demands, or holds what nobody knows.",
              method_name(failure.method)),
          {"Is it a TURN server at all? Another service may live on this port."}};
    case ClientFailure::Kind::refused:
      break;
  }
  if (failure.code == 401 && failure.method != stun::Method::binding)
    return diagnose_unauthenticated(failure, evidence);
  return diagnose_code(failure, evidence);
}

Diagnosis diagnose_loss(const ProbeLoss& loss) {
  const std::string way = loss.by_channel ? "ChannelData" : "Send indications";
  const std::string relayed = loss.relayed.to_string();
  const std::string peer = loss.peer.to_string();
  if (loss.is_foreign_peer)
    return {fmt::format(
                "The relay accepted everything, but nothing came back from the peer {} ({} packets by {}).",
                peer, loss.sent, way),
            {"Does that address echo UDP? turnutils_peer (package coturn) or an RFC 862 echo service does.",
             fmt::format("Does its firewall let packets from {} in, and answers out?", relayed)}};
  if (loss.seen_by_peer > 0)
    return {
        fmt::format(
            "Packets reach the peer through the relay, but its answers do not come back ({} of {} arrived at "
            "the peer, none returned, by {}).",
            loss.seen_by_peer, loss.sent, way),
        {fmt::format(
            "Answers go from {} to {}: does the server's firewall let UDP in on its relay ports (49152 to "
            "65535 as a rule)?",
            peer, relayed)}};
  Diagnosis diagnosis{
      fmt::format("Allocation and permission work, but packets from the relay {} do not arrive at the "
                  "probe's peer {} ({} sent by {}).",
                  relayed, peer, loss.sent, way),
      {}};
  if (loss.greetings_relayed > 0)
    diagnosis.advice.push_back("The other direction works: the relay passed on what the peer sent to it.");
  if (find_relayed_address_problem(loss.relayed.ip, loss.server.ip))
    diagnosis.advice.push_back(*find_relayed_address_problem(loss.relayed.ip, loss.server.ip));
  diagnosis.advice.push_back(
      "The peer runs on this machine. Behind a NAT or a firewall the relay may be unable to reach it; then "
      "the server "
      "may be fine: try from a host with a public address.");
  diagnosis.advice.push_back(
      "--peer IP shows the relay another address of this machine; --peer IP:PORT uses a UDP echo service "
      "elsewhere, "
      "such as turnutils_peer on a host that the relay reaches.");
  diagnosis.advice.push_back(
      "Does the server's firewall let UDP out and in on its relay ports (49152 to 65535 as a rule)?");
  return diagnosis;
}

Diagnosis diagnose_forbidden_peers(const std::vector<SocketAddress>& refused, const ProbeEvidence& evidence) {
  std::string list;
  bool all_loopback = true;
  for (const SocketAddress& peer : refused) {
    list += (list.empty() ? "" : ", ") + peer.ip.to_string();
    all_loopback = all_loopback && is_loopback(peer.ip);
  }
  Diagnosis diagnosis{fmt::format("Login and allocation work, but the relay {} refuses to relay to this "
                                  "machine (403 Forbidden for {}).",
                                  evidence.server.to_string(), list),
                      {}};
  diagnosis.advice.push_back(
      all_loopback
          ? "That is the safe default: a relay that reaches loopback addresses opens its own host to "
            "everybody."
          : "That is a safe default: relays refuse private and special addresses, so that nobody reaches the "
            "networks behind them.");
  diagnosis.advice.push_back(
      "To test the relaying too, name a peer that it allows: --peer IP (another address of this machine) or "
      "--peer "
      "IP:PORT (a UDP echo service elsewhere).");
  diagnosis.advice.push_back(fmt::format(
      "Or, on a test server, allow this address: turnpike [turn.peers] allow = [\"{}\"]; coturn {}.",
      refused.empty() ? "127.0.0.1" : refused.front().ip.to_string(),
      all_loopback ? "--allow-loopback-peers" : "--allowed-peer-ip"));
  return diagnosis;
}

Diagnosis explain_challenge(const ProbeEvidence& evidence) {
  Diagnosis diagnosis{fmt::format("{} is a TURN server and asks for a credential of its realm \"{}\".",
                                  evidence.server.to_string(), evidence.description.realm),
                      {"Give one to see whether it relays: --user NAME --password PASSWORD."}};
  if (evidence.description.token_server_name)
    diagnosis.advice.push_back(fmt::format("It also takes RFC 7635 access tokens made for \"{}\".",
                                           *evidence.description.token_server_name));
  return diagnosis;
}

std::optional<std::string> find_relayed_address_problem(const IpAddress& relayed, const IpAddress& server) {
  const std::string remedy =
      "Tell the server its public address (turnpike: [turn] relay_addresses = [\"bind/advertised\"], coturn: "
      "external-ip).";
  if (relayed.is_unspecified())
    return fmt::format("The server gives {} as its relay address, where nobody can send to. {}",
                       relayed.to_string(), remedy);
  if (is_loopback(relayed) && !is_loopback(server))
    return fmt::format(
        "The relay address {} is a loopback address: no peer outside the server's host reaches it. {}",
        relayed.to_string(), remedy);
  if (is_private(relayed) && !is_private(server) && !is_loopback(server))
    return fmt::format(
        "The relay address {} is private, while the server is reached at {}: peers on the Internet "
        "cannot send to it. {}",
        relayed.to_string(), server.to_string(), remedy);
  return std::nullopt;
}

std::optional<std::string> find_server_port_problem(std::uint16_t port) {
  if (!is_blocked_for_turn(port)) return std::nullopt;
  return fmt::format(
      "Browsers send nothing to a TURN server on port {}, and do not say so. Take another one: 3478, or 443 "
      "where firewalls let little else out.",
      port);
}

std::optional<std::string> find_relayed_port_problem(std::uint16_t port) {
  constexpr std::uint16_t system_ports = 1024;
  if (port >= system_ports && !is_blocked_by_browsers(port)) return std::nullopt;
  return fmt::format(
      "Browsers send nothing to port {} of a peer, so that they do not reach this relay address unless they "
      "are behind a relay themselves. Choose a range without such ports (coturn: min-port and max-port).",
      port);
}

std::optional<UsernameExpiry> find_username_expiry(std::string_view username, WallTime wall) {
  const std::string_view digits = username.substr(0, username.find(':'));
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  constexpr std::int64_t year_2001 = 1'000'000'000;
  constexpr std::int64_t year_2286 = 10'000'000'000;
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (seconds < year_2001 || seconds >= year_2286) return std::nullopt;
  const std::int64_t left = seconds - unix_seconds(wall);
  if (left < 0)
    return UsernameExpiry{true, fmt::format("expired {} ago, at {}", in_words(-left), to_utc(seconds))};
  return UsernameExpiry{false,
                        fmt::format("is valid for another {}, until {}", in_words(left), to_utc(seconds))};
}

std::string describe_challenge(const turn::ServerDescription& description) {
  std::string words = fmt::format("realm \"{}\"", description.realm);
  if (description.algorithms.count == 0) {
    words += ", MD5 logins";
  } else {
    std::string names;
    for (std::size_t i = 0; i < description.algorithms.count; ++i) {
      const auto algorithm = description.algorithms.algorithms[i];
      const std::string name = algorithm == 1   ? "MD5"
                               : algorithm == 2 ? "SHA-256"
                                                : fmt::format("{:#06x}", algorithm);
      names += (names.empty() ? "" : " or ") + name;
    }
    words += fmt::format(", {} logins", names);
  }
  if (description.token_server_name)
    words += fmt::format(", takes tokens for \"{}\"", *description.token_server_name);
  if (!description.software.empty()) words += fmt::format(", software \"{}\"", description.software);
  return words;
}

std::string method_name(stun::Method method) {
  switch (method) {
    case stun::Method::binding:
      return "Binding";
    case stun::Method::allocate:
      return "Allocate";
    case stun::Method::refresh:
      return "Refresh";
    case stun::Method::send:
      return "Send";
    case stun::Method::data:
      return "Data";
    case stun::Method::create_permission:
      return "CreatePermission";
    case stun::Method::channel_bind:
      return "ChannelBind";
    case stun::Method::connect:
      return "Connect";
    case stun::Method::connection_bind:
      return "ConnectionBind";
    case stun::Method::connection_attempt:
      return "ConnectionAttempt";
  }
  return "an unknown method";
}

}  // namespace turnpike::client
