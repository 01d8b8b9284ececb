#include "waf/visit.hpp"

#include <algorithm>

namespace turnpike::waf {
namespace {

void add(std::vector<credentials::Revocation>& to, credentials::Revocation::By by, const std::string& value,
         WallTime until) {
  const auto found =
      std::ranges::find_if(to, [&](const auto& it) { return it.by == by && it.value == value; });
  if (found == to.end()) {
    to.push_back({.by = by, .value = value, .until = until});
  } else {
    found->until = std::max(found->until, until);
  }
}

bool names_subjects(const Settings& settings, std::string_view audience) {
  return std::ranges::any_of(settings.turn, [&](const TurnTarget& target) {
    return target.token.server_name == audience && target.names_subjects();
  });
}

bool is_form(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return equal_ignoring_case(type, "application/x-www-form-urlencoded");
}

}  // namespace

// By the hashes of its two forms also where the relay has no subject of it.
void add_revocations(const Settings& settings, const std::vector<Issued>& ended, bool was_single,
                     std::vector<credentials::Revocation>& to) {
  using By = credentials::Revocation::By;
  for (const Issued& token : ended) {
    if (token.kind != IssuedKind::turn) continue;
    const WallTime until = token.ends_at + relay_tolerance;
    if (!was_single && names_subjects(settings, token.audience)) {
      add(to, By::subject, token.turn_subject, until);
      continue;
    }
    add(to, By::token_hash, token.id, until);
    if (!token.twin.empty()) add(to, By::token_hash, token.twin, until);
  }
}

void Visit::revoke(const std::vector<Issued>& ended) { has_revoked = has_revoked || !ended.empty(); }

void Visit::audit(std::string_view event, std::string_view client, std::string_view subject,
                  std::string_view detail) {
  audited.push_back({.at = now,
                     .event = std::string{event},
                     .client = std::string{client},
                     .subject = std::string{subject},
                     .remote = request.remote.to_string(),
                     .detail = std::string{detail}});
}

void Visit::audit_refusal(std::string_view event, std::string_view client, std::string_view subject,
                          std::string_view detail) {
  audit(event, client, subject, detail);
  audited.back().is_by_stranger = true;
}

std::expected<Form, Refusal> read_form(const Visit& visit) {
  if (!is_form(visit.request.find("content-type").value_or("")))
    return std::unexpected(
        Refusal{Error::invalid_request, "the Content-Type is not application/x-www-form-urlencoded"});
  auto form = Form::parse(visit.request.body, visit.settings.limits.form);
  if (!form) return std::unexpected(Refusal{Error::invalid_request, std::string{to_string(form.error())}});
  return std::move(*form);
}

std::string make_random_text(Random& random) { return to_base64url(random.draw<32>()); }

Digest sign(const Settings& settings, std::string_view purpose, std::string_view text) {
  const Digest key = crypto::hmac_sha256(settings.key.reveal(), as_bytes(purpose));
  return crypto::hmac_sha256(key, as_bytes(text));
}

}  // namespace turnpike::waf
