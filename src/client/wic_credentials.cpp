#include "client/wic_credentials.hpp"

#include <fmt/format.h>

#include "provisioning/body.hpp"
#include "provisioning/turn_credentials.hpp"
#include "sip/headers.hpp"

namespace turnpike::client {
namespace {

constexpr std::uint16_t nonce_bytes = 12;

bool has_credentials_body(const sip::Message& response) {
  const auto type = sip::content_type(response);
  return type && type->is("application", "turn-credentials+json");
}

std::optional<turn::ClientCredential> to_client_credential(const provisioning::Entry& entry) {
  if (entry.form == provisioning::Form::password)
    return turn::PasswordCredential{.username = entry.username, .password = entry.password};
  const auto mac_key = from_base64(entry.password.reveal_text());
  if (!mac_key) return std::nullopt;
  return turn::TokenCredential{
      .kid = entry.username, .access_token = entry.access_token, .mac_key = Secret{*mac_key}};
}

}  // namespace

std::optional<ReadProvision> read_provision(const sip::Message& response, WallTime wall) {
  if (auto answer = provisioning::find_answer(response, wall)) {
    if (!*answer)
      return ReadProvision{.problem = fmt::format("the header Turn-Credentials is malformed: {}",
                                                  provisioning::to_string(answer->error()))};
    return ReadProvision{.entries = std::move((*answer)->entries), .refresh_after = (*answer)->refresh_after};
  }
  if (!has_credentials_body(response)) return std::nullopt;
  const auto text = response.body();
  auto answer = provisioning::parse_body(text.value_or(""), wall);
  if (!answer)
    return ReadProvision{.is_from_body = true,
                         .problem = fmt::format("the body with TURN credentials is malformed: {}",
                                                provisioning::to_string(answer.error()))};
  return ReadProvision{
      .entries = std::move(answer->entries), .refresh_after = answer->refresh_after, .is_from_body = true};
}

credentials::Source find_source(const provisioning::Entry& entry) {
  if (entry.form == provisioning::Form::oauth) return credentials::Source::token;
  const std::string_view name = entry.username;
  const auto digits = name.find_first_not_of("0123456789");
  if (digits != 0 && digits != std::string_view::npos && name[digits] == ':')
    return credentials::Source::computed;
  const auto dot = name.rfind('.');
  const auto token = dot == std::string_view::npos ? std::nullopt : from_base64url(name.substr(dot + 1));
  // The length of its nonce stands in front (RFC 7635 section 6.2).
  const bool is_token = token && token->size() > 2 && load_big<std::uint16_t>(token->data()) == nonce_bytes;
  return is_token ? credentials::Source::token : credentials::Source::pushed;
}

std::optional<RelayAccess> choose_relay(const std::vector<provisioning::Entry>& entries,
                                        bool prefers_tokens) {
  std::optional<RelayAccess> first;
  for (const provisioning::Entry& entry : entries) {
    auto credential = to_client_credential(entry);
    if (!credential) continue;
    const bool is_preferred = !prefers_tokens || entry.form == provisioning::Form::oauth;
    if (first && !is_preferred) continue;
    for (const std::string& text : entry.uris) {
      auto uri = parse_turn_uri(text);
      if (!uri) continue;
      RelayAccess access{.uri = *std::move(uri), .credential = *std::move(credential)};
      if (is_preferred) return access;
      first = std::move(access);
      break;
    }
  }
  return first;
}

}  // namespace turnpike::client
