#include "client/waf_session.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/percent.hpp"
#include "client/loopback_listener.hpp"

namespace turnpike::client {
namespace {

WafFailure trouble(HttpFailure failure) {
  return {std::move(failure.found), std::move(failure.advice), false};
}

WafFailure refusal(const OAuthRefusal& refused) {
  WafFailure failure{.found = "the WAF refuses with " + refused.to_string(), .is_final = true};
  if (refused.error == "invalid_client")
    failure.advice =
        "Is the client registered there? `turnpike client list` shows it; --waf-client names another one.";
  else if (refused.error == "invalid_grant")
    failure.advice = "What it has given was used twice, has ended or was revoked: log in again.";
  else if (refused.error == "use_dpop_nonce" || refused.error == "invalid_dpop_proof" ||
           refused.error == "DPoP")
    failure.advice = "This client shows no DPoP proofs: use one that does not require them.";
  else if (refused.error == "temporarily_unavailable" || refused.error.starts_with("status 5"))
    failure.is_final = false;
  return failure;
}

// What a token answer brings, without what is secret.
std::string describe(const OAuthTokens& tokens) {
  std::string words;
  if (!tokens.registration.empty())
    words = fmt::format("a registration token for {} s", tokens.registration_life.count());
  if (tokens.turn)
    words += fmt::format("{}a TURN token for {} s", words.empty() ? "" : " and ", tokens.turn->ttl.count());
  if (!tokens.refresh_token.empty()) words += ", and how to get newer ones";
  return words;
}

std::string describe(const HttpReply& reply) {
  const auto location = reply.find("Location");
  if (location && reply.status >= 300 && reply.status < 400)
    return fmt::format("to {}", location->substr(0, location->find('?')));
  const auto type = reply.find("Content-Type");
  return type ? std::string{type->substr(0, type->find(';'))} : std::string{};
}

std::string path_of(const HttpUrl& url) { return url.target.substr(0, url.target.find('?')); }

}  // namespace

std::string_view to_string(WafLoginWay way) {
  if (way == WafLoginWay::browser) return "browser";
  return way == WafLoginWay::form ? "form" : "client_credentials";
}

// --- exchanges --------------------------------------------------------------------------------------------

std::expected<HttpReply, HttpFailure> WafSession::fetch(HttpAsk ask, const std::string& detail,
                                                        const Watcher& watcher) {
  const auto say = [&](bool is_sent, std::string message, std::string words) {
    if (watcher.on_step) watcher.on_step({is_sent, std::move(message), std::move(words)});
  };
  say(true, fmt::format("{} {}", ask.method, path_of(ask.url)), detail);
  const Instant began = read_clocks().mono;
  auto reply = exchange(ask, settings_.http);
  if (watcher.on_round_trip) watcher.on_round_trip({began, read_clocks().mono});
  if (reply)
    say(false, std::to_string(reply->status), describe(*reply));
  else
    say(false, "no answer", reply.error().found);
  return reply;
}

HttpAsk WafSession::make_post(const std::string& url, FormFields fields) const {
  HttpAsk ask{
      .method = "POST",
      .url = HttpUrl::parse(url).value_or(HttpUrl{}),
      .fields = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}}};
  if (settings_.client_secret.empty()) {
    fields.emplace_back("client_id", settings_.client_id);
  } else {
    ask.fields.emplace_back("Authorization", encode_basic_authorization(
                                                 settings_.client_id, settings_.client_secret.reveal_text()));
  }
  ask.body = encode_form(fields);
  return ask;
}

std::optional<WafFailure> WafSession::discover(const Watcher& watcher) {
  if (server_) return std::nullopt;
  const auto url = HttpUrl::parse(make_metadata_url(settings_.issuer));
  if (!url)
    return WafFailure{fmt::format("\"{}\" is no web address", settings_.issuer), "Use https://HOST.", true};
  const auto reply = fetch({.url = *url}, "who it is", watcher);
  if (!reply) return trouble(reply.error());
  constexpr std::string_view advice =
      "Is it the issuer of the WAF, to the letter? `turnpike check` shows it.";
  if (reply->status != 200)
    return WafFailure{fmt::format("{} answers {}", url->to_string(), reply->status), std::string{advice},
                      false};
  auto server = parse_metadata(reply->body, settings_.issuer);
  if (!server)
    return WafFailure{fmt::format("{} is not the WAF: {}", settings_.issuer, server.error()),
                      std::string{advice}, true};
  server_ = std::move(*server);
  return std::nullopt;
}

WafSession::Tokens WafSession::ask_for_tokens(FormFields fields, const Watcher& watcher) {
  const std::string grant = fields.front().second;
  const auto reply = fetch(make_post(server_->token_endpoint, std::move(fields)), grant, watcher);
  if (!reply) return std::unexpected(trouble(reply.error()));
  auto tokens = parse_token_answer(reply->status, reply->body, read_clocks().wall);
  if (!tokens) return std::unexpected(refusal(tokens.error()));
  // An answer without one leaves the older one in force (RFC 6749 section 6).
  if (!tokens->refresh_token.empty()) refresh_token_ = tokens->refresh_token;
  if (watcher.on_step) watcher.on_step({false, "tokens", describe(*tokens)});
  return std::move(*tokens);
}

// --- logins -----------------------------------------------------------------------------------------------

WafSession::Tokens WafSession::log_in(const Watcher& watcher) {
  if (auto failure = discover(watcher)) return std::unexpected(std::move(*failure));
  switch (settings_.way) {
    case WafLoginWay::browser:
      return log_in_by_browser(watcher);
    case WafLoginWay::form:
      return log_in_by_form(watcher);
    case WafLoginWay::client_credentials:
      break;
  }
  return ask_for_tokens({{"grant_type", "client_credentials"}, {"scope", settings_.scope}}, watcher);
}

WafSession::Tokens WafSession::log_in_by_form(const Watcher& watcher) {
  const auto request = make_authorization_request(*server_, settings_.client_id, settings_.redirect_uri,
                                                  settings_.scope, random_);
  const auto fetch_page = [&](const HttpAsk& ask) {
    return fetch(ask, ask.method == "POST" ? "the form of the page" : "", watcher);
  };
  auto redirect = log_in_at_pages(request, settings_.login, fetch_page);
  if (!redirect) {
    WafFailure failure = trouble(std::move(redirect.error()));
    failure.is_final = true;
    return std::unexpected(std::move(failure));
  }
  return redeem(request, *redirect, watcher);
}

// RFC 8252 sections 6 and 7.3.
WafSession::Tokens WafSession::log_in_by_browser(const Watcher& watcher) {
  auto redirect_uri = HttpUrl::parse(settings_.redirect_uri);
  if (!redirect_uri || redirect_uri->is_secure || !redirect_uri->is_loopback())
    return std::unexpected(
        WafFailure{fmt::format("no browser can bring a code to {}", settings_.redirect_uri),
                   "Register the client with http://127.0.0.1/done.", true});
  auto listener = LoopbackListener::open(redirect_uri->host);
  if (!listener)
    return std::unexpected(WafFailure{
        fmt::format("no port of {} can be listened to: {}", redirect_uri->host, listener.error()), {}, true});
  redirect_uri->port = listener->port();
  const std::string base = "http://" + redirect_uri->authority();
  const auto request = make_authorization_request(*server_, settings_.client_id, redirect_uri->to_string(),
                                                  settings_.scope, random_);
  if (watcher.on_url) watcher.on_url(request.url);
  const auto target =
      listener->wait([&](const std::string& came) { return is_redirect(base + came, request); },
                     settings_.patience, watcher.interrupt);
  if (!target)
    return std::unexpected(WafFailure{"nobody has logged in with the browser",
                                      "Open the URL that was shown, or give --waf-user and a password.",
                                      true});
  if (watcher.on_step) watcher.on_step({false, "the browser", "brings the answer of the login"});
  return redeem(request, base + *target, watcher);
}

WafSession::Tokens WafSession::redeem(const AuthorizationRequest& request, const std::string& redirect,
                                      const Watcher& watcher) {
  const auto code = read_redirect(redirect, request, *server_);
  if (!code) return std::unexpected(refusal(code.error()));
  return ask_for_tokens({{"grant_type", "authorization_code"},
                         {"code", std::string{code->reveal_text()}},
                         {"redirect_uri", request.redirect_uri},
                         {"code_verifier", std::string{request.verifier.reveal_text()}}},
                        watcher);
}

// --- afterwards -------------------------------------------------------------------------------------------

WafSession::Tokens WafSession::renew(const Watcher& watcher) {
  if (refresh_token_.empty()) return log_in(watcher);
  auto tokens = ask_for_tokens(
      {{"grant_type", "refresh_token"}, {"refresh_token", std::string{refresh_token_.reveal_text()}}},
      watcher);
  if (tokens || !tokens.error().is_final) return tokens;
  // The authorization is over. Whoever can log in without a user does.
  refresh_token_ = Secret{};
  return can_renew() ? log_in(watcher) : tokens;
}

void WafSession::end(const Watcher& watcher) {
  if (refresh_token_.empty() || !server_ || server_->revocation_endpoint.empty()) return;
  static_cast<void>(fetch(
      make_post(server_->revocation_endpoint,
                {{"token", std::string{refresh_token_.reveal_text()}}, {"token_type_hint", "refresh_token"}}),
      "the authorization", watcher));
  refresh_token_ = Secret{};
}

}  // namespace turnpike::client
