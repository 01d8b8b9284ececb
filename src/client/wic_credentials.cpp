#include "client/wic_credentials.hpp"

#include <fmt/format.h>

#include "provisioning/body.hpp"
#include "provisioning/turn_credentials.hpp"
#include "sip/headers.hpp"

namespace turnpike::client {
namespace {

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

std::optional<RelayAccess> choose_relay(const std::vector<provisioning::Entry>& entries) {
  for (const provisioning::Entry& entry : entries) {
    auto credential = to_client_credential(entry);
    if (!credential) continue;
    for (const std::string& text : entry.uris)
      if (auto uri = parse_turn_uri(text))
        return RelayAccess{.uri = *std::move(uri), .credential = *std::move(credential)};
  }
  return std::nullopt;
}

}  // namespace turnpike::client
