#include <fmt/format.h>

#include <array>
#include <utility>

#include "client/wic_run.hpp"
#include "client/wrapped_text.hpp"

namespace turnpike::client {
namespace {

constexpr std::string_view no_credentials = "No TURN credentials: ";
// docs/epcscf.md lists them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> no_credentials_words{{
    {"not_secure", "they are handed out over TLS alone, and this connection is not encrypted"},
    {"third_party", "the REGISTER is for another identity than that of its sender"},
    {"unauthenticated", "the core did not ask for any proof of who we are"},
    {"malformed", "the server cannot read what was asked for"},
    {"unknown_realm", "the server has no relay of the realm that was asked for"},
    {"unknown_transport", "the server has no relay with the transport that was asked for"},
    {"no_relay", "the server knows no relay that lives"},
    {"no_source", "the server does not make the kind that was asked for, or none at all"},
    {"not_acknowledged", "no relay has taken the credential in time"},
    {"too_many_pushes", "the server waits for its relays"},
    {"too_many_new", "this user has registered anew too often of late"},
}};

std::string in_words(const WicRefused& refused) {
  std::string words = fmt::format("{} {}", refused.code, refused.reason);
  if (!refused.warning.empty()) words += ": " + refused.warning;
  return words;
}

WicDiagnosis diagnose_login(const WicRefused& refused, const WicSettings& settings) {
  const bool is_token = std::holds_alternative<BearerLogin>(settings.agent.login);
  switch (refused.login) {
    case LoginRefusal::wrong_secret:
      return {
          fmt::format("The password of {} is wrong, or the core does not know the user.",
                      settings.agent.identity),
          {"Check --user: it is the private identity, as the core's subscriber has it (alice@ims.example).",
           "Check the password; `turnpike subscriber list` shows who is known to the embedded core."}};
    case LoginRefusal::too_many_challenges:
      return {"The core calls every nonce stale that it has just given out.",
              {"Do several cores without a common memory stand behind the edge?"}};
    case LoginRefusal::network_not_genuine:
      return {"The core's challenge is not genuine: it does not know this K and OPc.",
              {"Compare --aka-k and --aka-opc with the subscriber that the core has."}};
    case LoginRefusal::out_of_step:
      return {"The core's sequence number stays behind the card's, even after a resynchronisation.",
              {"Give a lower --aka-sqn, or set the subscriber's anew."}};
    case LoginRefusal::token_refused:
      return {refused.token_error.empty() ? "The token was refused."
                                          : fmt::format("The token was refused: {}.", refused.token_error),
              {"Has it expired, is it for this audience, and does the server trust its issuer?"}};
    case LoginRefusal::unknown_challenge:
      break;
  }
  return {fmt::format("The server asks for another login than {}.", is_token ? "a token" : "a password"),
          {is_token ? "Give --user and --password." : "Does it want a token? Give --token.",
           "The timeline shows what it asked for."}};
}

WicDiagnosis diagnose_code(const WicRefused& refused, const WicSettings& settings) {
  const std::string verdict = fmt::format("The registration was refused with {}.", in_words(refused));
  switch (refused.code) {
    case 403:
      return {
          verdict,
          {std::holds_alternative<BearerLogin>(settings.agent.login)
               ? "Does this server take tokens, and from this issuer?"
               : "Is the password right? Some cores answer a wrong one so.",
           fmt::format("May this user register {}? --identity names another one.", settings.agent.identity)}};
    case 404:
      return {verdict, {fmt::format("The core knows no {}.", settings.agent.identity)}};
    case 423:
      return {verdict, {"It wants longer registrations: raise --expires."}};
    case 408:
    case 480:
    case 500:
    case 503:
    case 504:
      return {verdict,
              {refused.retry_after.count() > 0
                   ? fmt::format("It asks to try again in {} s.", refused.retry_after.count())
                   : std::string{"Is the home core that stands behind it running?"}}};
    default:
      return {verdict, {}};
  }
}

std::string describe(const WicCredential& credential) {
  return fmt::format("{} \"{}\", {} s, of realm \"{}\": {}",
                     credential.form == provisioning::Form::oauth ? "token" : "user", credential.username,
                     credential.ttl.count(), credential.realm, fmt::join(credential.uris, " "));
}

std::string describe(const WicCallReport& call) {
  std::string words = call.other;
  if (call.other_relayed) words += " at " + call.other_relayed->to_string();
  if (call.echoed > 0) words += fmt::format(", {} packets echoed", call.echoed);
  if (call.media.sent > 0)
    words += fmt::format(", {} of {} packets back, round trip min {:.1f} median {:.1f} max {:.1f} ms",
                         call.media.received, call.media.sent, call.media.min_ms, call.media.median_ms,
                         call.media.max_ms);
  return words;
}

std::string describe(const WicWafReport& waf) {
  return fmt::format("{}, login by {}, {} round trips, {} renewal{} in the background", waf.issuer,
                     waf.way == WafLoginWay::client_credentials ? "the client itself" : to_string(waf.way),
                     waf.round_trips, waf.renewals, waf.renewals == 1 ? "" : "s");
}

// Between the call and its first media, of what the call had to wait for.
std::string describe_extra(const WicCallReport& call) {
  return fmt::format(
      "first media after {:.1f} ms, with {} round trip{} to the WAF and {} REGISTER{} in between",
      call.first_media_ms, call.waf_round_trips, call.waf_round_trips == 1 ? "" : "s", call.registrations,
      call.registrations == 1 ? "" : "s");
}

}  // namespace

WicDiagnosis diagnose_refusal(const WicRefused& refused, const WicSettings& settings) {
  switch (refused.kind) {
    case WicRefused::Kind::login:
      return diagnose_login(refused, settings);
    case WicRefused::Kind::code:
      return diagnose_code(refused, settings);
    case WicRefused::Kind::no_answer:
      return {"The REGISTER was not answered within 32 s.", {"Is the home core behind the edge running?"}};
    case WicRefused::Kind::flow_closed:
      return {"The connection ended.", {"The server's log says why, if it was the server."}};
    case WicRefused::Kind::malformed_answer:
      return {fmt::format("The answer to the REGISTER makes no sense: {}.", refused.reason),
              {"Another registrar may have answered than the one that was meant."}};
  }
  return {};
}

std::optional<std::string> find_scenario_problem(Scenario scenario, const Secret& token) {
  const auto holder = find_token_holder(token);
  if (!holder || scenario == Scenario::ims || holder->is_pool_identity == (scenario == Scenario::pool))
    return std::nullopt;
  return holder->is_pool_identity
             ? "The token is of an identity that is lent from a pool: that is scenario 3."
             : "The token is of the user's own identity, not of one that is lent from a pool: that is "
               "scenario 2.";
}

std::string explain_no_credentials(std::string_view warning) {
  if (warning.starts_with(no_credentials)) warning.remove_prefix(no_credentials.size());
  for (const auto& [reason, words] : no_credentials_words)
    if (warning == reason) return std::string{words};
  return std::string{warning};
}

WicDiagnosis diagnose_call_end(const CallEnded& ended, const std::string& callee) {
  switch (ended.cause) {
    case CallEnded::Cause::hung_up:
      return {ended.is_ours ? "We hung up." : fmt::format("{} hung up.", callee), {}};
    case CallEnded::Cause::cancelled:
      return {ended.is_ours ? "The call was cancelled." : fmt::format("{} gave up.", callee), {}};
    case CallEnded::Cause::no_answer:
      return {fmt::format("Nobody answered the call to {}.", callee), {"Is the home core running?"}};
    case CallEnded::Cause::flow_closed:
      return {"The connection ended during the call.", {}};
    case CallEnded::Cause::malformed_answer:
      return {fmt::format("The answer to the call makes no sense: {}.", ended.reason), {}};
    case CallEnded::Cause::refused:
      break;
  }
  WicDiagnosis diagnosis{
      fmt::format("The call to {} was refused with {} {}.", callee, ended.code, ended.reason), {}};
  if (ended.code == 404 || ended.code == 480)
    diagnosis.advice.push_back(
        fmt::format("Is {} registered? `turnpike wic echo` registers and waits.", callee));
  if (ended.code == 403) diagnosis.advice.emplace_back("Is this identity allowed to call?");
  return diagnosis;
}

std::string format_summary(const WicReport& report) {
  std::string text;
  const auto row = [&](std::string_view title, const std::string& words) {
    text += fmt::format("  {:<12}  {}\n", title, wrap(words, 16));
  };
  if (report.is_registered)
    row("registered",
        fmt::format("{} in {:.1f} ms, for {} s, by {}", report.identity, report.registered_ms,
                    report.expires.count(), report.login_method.empty() ? "nothing" : report.login_method));
  for (const WicCredential& credential : report.credentials) row("credential", describe(credential));
  if (report.relayed)
    row("relay", fmt::format("{} at {}", report.relayed->to_string(), report.relay->to_string()));
  if (report.waf) row("WAF", describe(*report.waf));
  if (report.reconnections > 0)
    row("lost", fmt::format("{} times, and connected again", report.reconnections));
  for (const WicCallReport& call : report.calls) {
    row("call", describe(call));
    if (call.first_media_ms > 0 && report.waf) row("", describe_extra(call));
  }
  if (!text.empty()) text += '\n';
  text += wrap(report.verdict, 0) + '\n';
  for (const std::string& warning : report.warnings) text += "\n  ! " + wrap(warning, 4) + '\n';
  if (!report.advice.empty()) text += "\nWhat to do:\n";
  for (const std::string& advice : report.advice) text += "  * " + wrap(advice, 4) + '\n';
  return to_printable(std::move(text));
}

}  // namespace turnpike::client
