#include "service/credential_desk.hpp"

#include <algorithm>
#include <utility>

#include "base/percent.hpp"
#include "sip/text.hpp"

namespace turnpike::service {
namespace {

using credentials::Change;
using credentials::PushOutcome;
using credentials::Revocation;

constexpr std::string_view collection = "/v1/credentials";
// Longer than any credential that an issuer of ours makes.
constexpr std::chrono::hours revocation_default{25};

HttpResponse say(unsigned status, std::string body) {
  return {.status = status,
          .fields = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          .body = std::move(body)};
}

HttpResponse refuse(unsigned status, std::string_view error) { return say(status, format_problem(error)); }

HttpResponse refuse_method(std::string allowed) {
  HttpResponse response = refuse(405, "this method is not for this resource");
  response.fields.emplace_back("Allow", std::move(allowed));
  return response;
}

unsigned status_of(PushOutcome outcome) {
  switch (outcome) {
    case PushOutcome::done:
    case PushOutcome::repeated:
      return 200;
    case PushOutcome::gap:
      return 409;
    case PushOutcome::full:
      return 507;
    case PushOutcome::unknown:
      return 404;
    case PushOutcome::invalid:
      return 422;
  }
  return 500;
}

// ?stream=S&sequence=N of a single change; a change without is not numbered.
Read<std::optional<StreamPosition>> find_position(const ServedRequest& request) {
  const auto stream = request.find_query("stream");
  const auto sequence = request.find_query("sequence");
  if (!stream && !sequence) return std::nullopt;
  const auto number = sequence ? sip::parse_number(*sequence, UINT64_MAX - 1) : std::nullopt;
  if (!stream || !is_stream_name(*stream) || !number)
    return std::unexpected("stream and sequence: allowed: a name and a number together");
  return StreamPosition{*stream, *number};
}

Read<WallTime> find_until(const ServedRequest& request, WallTime wall) {
  const auto until = request.find_query("until");
  if (!until) return wall + revocation_default;
  const auto seconds = sip::parse_number(*until, UINT64_MAX - 1);
  if (!seconds) return std::unexpected("until: allowed: seconds since 1970");
  return from_unix_seconds(*seconds);
}

}  // namespace

std::optional<std::string> CredentialDesk::find_issuer(const HttpPeer& peer) const {
  for (const std::string& name : peer.names)
    if (settings_.allowed_names.empty() ||
        std::ranges::find(settings_.allowed_names, name) != settings_.allowed_names.end())
      return name;
  return std::nullopt;
}

HttpResponse CredentialDesk::answer(const ServedRequest& request, WallTime wall) {
  const auto issuer = find_issuer(request.peer);
  if (!issuer) return refuse(403, "the certificate names no issuer that is allowed");
  const std::string_view path = request.path();
  if (path == "/v1/health") return request.method == "GET" ? answer_health(*issuer) : refuse_method("GET");
  if (path == "/v1/credentials:batch")
    return request.method == "POST" ? answer_batch(request, *issuer, wall) : refuse_method("POST");
  if (path == collection) return answer_all(request, *issuer, wall);
  if (!path.starts_with(collection) || path[collection.size()] != '/')
    return refuse(404, "there is no such resource");
  const auto username = decode_percent(path.substr(collection.size() + 1), false);
  if (!username || username->empty()) return refuse(400, "the path names no username");
  return answer_one(request, *issuer, *username, wall);
}

HttpResponse CredentialDesk::answer_all(const ServedRequest& request, const std::string& issuer,
                                        WallTime wall) {
  if (request.method == "GET")
    return say(200, format_entries(store_.list(request.find_query("subject").value_or(""))));
  if (request.method == "PUT") return answer_state(request, issuer, wall);
  if (request.method == "DELETE") return answer_delete(request, issuer, wall);
  return refuse_method("GET, PUT, DELETE");
}

HttpResponse CredentialDesk::answer_one(const ServedRequest& request, const std::string& issuer,
                                        const std::string& username, WallTime wall) {
  if (request.method == "PUT") {
    auto credential = parse_credential(request.body, username);
    if (!credential) return refuse(400, credential.error());
    return change_one(request, issuer, std::move(*credential), wall);
  }
  if (request.method == "PATCH") {
    auto extension = parse_extension(request.body, username);
    if (!extension) return refuse(400, extension.error());
    return change_one(request, issuer, std::move(*extension), wall);
  }
  if (request.method != "DELETE") return refuse_method("PUT, PATCH, DELETE");
  const auto until = find_until(request, wall);
  if (!until) return refuse(400, until.error());
  return change_one(request, issuer, Revocation{Revocation::By::username, username, *until}, wall);
}

HttpResponse CredentialDesk::answer_delete(const ServedRequest& request, const std::string& issuer,
                                           WallTime wall) {
  std::optional<Revocation> revocation;
  const auto until = find_until(request, wall);
  if (!until) return refuse(400, until.error());
  for (const std::string_view name : {"username", "subject", "kid", "token_hash"}) {
    auto value = request.find_query(name);
    if (!value) continue;
    if (revocation || value->empty())
      return refuse(400, "allowed: one of username, subject, kid, token_hash");
    revocation = Revocation{*find_revocation_kind(name), std::move(*value), *until};
  }
  // Nothing named would be everything: that is what an empty full state says.
  if (!revocation) return refuse(400, "allowed: one of username, subject, kid, token_hash");
  return change_one(request, issuer, std::move(*revocation), wall);
}

HttpResponse CredentialDesk::change_one(const ServedRequest& request, const std::string& issuer,
                                        Change change, WallTime wall) {
  auto position = find_position(request);
  if (!position) return refuse(400, position.error());
  ChangeBatch batch{.first = std::move(*position)};
  batch.changes.push_back(std::move(change));
  const auto answer = take(issuer, batch, wall);
  if (!answer) return make_gap_answer(issuer);
  return say(status_of(answer->results.front().outcome), format_batch_answer(*answer));
}

HttpResponse CredentialDesk::answer_batch(const ServedRequest& request, const std::string& issuer,
                                          WallTime wall) {
  const auto batch = parse_batch(request.body);
  if (!batch) return refuse(400, batch.error());
  if (batch->changes.size() > settings_.changes_max) return refuse(413, "too many changes");
  const auto answer = take(issuer, *batch, wall);
  return answer ? say(200, format_batch_answer(*answer)) : make_gap_answer(issuer);
}

HttpResponse CredentialDesk::answer_state(const ServedRequest& request, const std::string& issuer,
                                          WallTime wall) {
  auto state = parse_state(request.body);
  if (!state) return refuse(400, state.error());
  if (state->credentials.size() > settings_.state_max) return refuse(413, "too many credentials");
  // A full state that was overtaken by one that is newer would undo it.
  const auto known = ledger_.position(issuer);
  if (known && known->stream == state->position.stream && known->sequence > state->position.sequence)
    return make_gap_answer(issuer);

  std::vector<Change> changes;
  if (!state->keeps_others)
    for (auto& other : ledger_.find_others(issuer, state->credentials, wall))
      changes.emplace_back(std::move(other));
  const auto others = static_cast<std::ptrdiff_t>(changes.size());
  for (auto& revocation : state->revocations) changes.emplace_back(std::move(revocation));
  const auto revocations = static_cast<std::ptrdiff_t>(state->revocations.size());
  for (auto& credential : state->credentials) changes.emplace_back(std::move(credential));
  const auto results = apply(issuer, changes, wall);
  const auto first = results.begin() + others;
  const BatchAnswer answer{.sequence = state->position.sequence,
                           .results = {first + revocations, results.end()},
                           .revocations = {first, first + revocations}};
  ledger_.advance(issuer, state->position);
  return say(200, format_batch_answer(answer));
}

HttpResponse CredentialDesk::answer_health(const std::string& issuer) {
  RelayHealth health = store_.health();
  health.position = ledger_.position(issuer);
  return say(200, format_health(health));
}

std::optional<BatchAnswer> CredentialDesk::take(const std::string& issuer, const ChangeBatch& batch,
                                                WallTime wall) {
  if (!batch.first) return BatchAnswer{.sequence = 0, .results = apply(issuer, batch.changes, wall)};
  const auto seen = ledger_.count_seen(issuer, *batch.first, batch.changes.size());
  if (!seen) return std::nullopt;
  BatchAnswer answer;
  const std::uint64_t first = batch.first->sequence;
  for (std::size_t i = 0; i < *seen; ++i)
    answer.results.push_back({.outcome = ledger_.refusal(issuer, first + i).value_or(PushOutcome::repeated)});
  const auto from = batch.changes.begin() + static_cast<std::ptrdiff_t>(*seen);
  const auto results = apply(issuer, {from, batch.changes.end()}, wall);
  answer.results.insert(answer.results.end(), results.begin(), results.end());
  if (!batch.changes.empty())
    ledger_.advance(issuer, {batch.first->stream, first + batch.changes.size() - 1});
  for (std::size_t i = *seen; i < answer.results.size(); ++i)
    if (answer.results[i].outcome != PushOutcome::done)
      ledger_.note_refusal(issuer, first + i, answer.results[i].outcome);
  answer.sequence = ledger_.position(issuer)->sequence;
  return answer;
}

std::vector<credentials::ChangeResult> CredentialDesk::apply(const std::string& issuer,
                                                             const std::vector<Change>& changes,
                                                             WallTime wall) {
  if (changes.empty()) return {};
  auto results = store_.apply(changes);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (const auto* put = std::get_if<credentials::PushedCredential>(&changes[i])) {
      if (results[i].outcome == PushOutcome::done)
        ledger_.note_put(issuer, put->username, put->expires_at, wall);
    } else if (const auto* revocation = std::get_if<Revocation>(&changes[i])) {
      if (revocation->by == Revocation::By::username) ledger_.note_gone(revocation->value);
    }
  }
  return results;
}

HttpResponse CredentialDesk::make_gap_answer(const std::string& issuer) const {
  const auto position = ledger_.position(issuer);
  return say(409, format_problem("gap", position ? std::optional{position->sequence} : std::nullopt));
}

}  // namespace turnpike::service
