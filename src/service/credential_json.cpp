#include "service/credential_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "sip/text.hpp"

namespace turnpike::service {
namespace {

using Json = nlohmann::ordered_json;
using By = credentials::Revocation::By;
using credentials::Change;
using credentials::PushedCredential;
using credentials::Revocation;

constexpr std::size_t prefixes_max = 255;
constexpr std::size_t stream_name_max = 64;
constexpr std::array<std::string_view, 4> kinds{"username", "subject", "kid", "token_hash"};

std::unexpected<std::string> refuse(std::string_view member, std::string_view allowed) {
  return std::unexpected(fmt::format("{}: allowed: {}", member, allowed));
}

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// --- reading ----------------------------------------------------------------------------------------------

Read<Json> parse_object(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::unexpected("the body is no JSON object");
  return json;
}

const Json* find_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

// Absent: as it was.
bool read_text(const Json& object, const char* name, std::string& to) {
  const Json* member = find_member(object, name);
  if (member == nullptr) return true;
  if (!member->is_string()) return false;
  to = *member->get_ptr<const std::string*>();
  return true;
}

template <typename Number>
bool read_number(const Json& object, const char* name, Number& to) {
  const Json* member = find_member(object, name);
  if (member == nullptr) return true;
  if (!member->is_number_unsigned()) return false;
  const std::uint64_t number = *member->get_ptr<const Json::number_unsigned_t*>();
  if (number > std::numeric_limits<Number>::max()) return false;
  to = static_cast<Number>(number);
  return true;
}

bool read_flag(const Json& object, const char* name, bool& to) {
  const Json* member = find_member(object, name);
  if (member == nullptr) return true;
  if (!member->is_boolean()) return false;
  to = *member->get_ptr<const bool*>();
  return true;
}

// Seconds since 1970.
bool read_moment(const Json& object, const char* name, WallTime& to) {
  std::uint64_t seconds = 0;
  if (find_member(object, name) == nullptr) return true;
  if (!read_number(object, name, seconds)) return false;
  to = from_unix_seconds(seconds);
  return true;
}

// Of any size: whether it is that of a key is asked of one change alone, and refuses no others.
bool read_key(const Json& object, const char* name, credentials::Key& to) {
  std::string text;
  if (!read_text(object, name, text)) return false;
  if (text.empty()) return true;
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() > credentials::Key::size_max) return false;
  to = credentials::Key{*bytes};
  wipe(*bytes);
  return true;
}

Read<credentials::Policy> read_policy(const Json& object) {
  credentials::Policy policy;
  const Json* member = find_member(object, "policy");
  if (member == nullptr) return policy;
  if (!member->is_object()) return refuse("policy", "an object");
  if (!read_number(*member, "allocations_max", policy.allocations_max))
    return refuse("policy.allocations_max", "a number below 2^32");
  if (!read_number(*member, "bytes_per_second", policy.bytes_per_second))
    return refuse("policy.bytes_per_second", "a number");
  const Json* peers = find_member(*member, "allowed_peers");
  if (peers == nullptr) return policy;
  if (!peers->is_array() || peers->size() > prefixes_max)
    return refuse("policy.allowed_peers", "at most 255 prefixes");
  for (const Json& peer : *peers) {
    const auto prefix =
        peer.is_string() ? IpPrefix::parse(*peer.get_ptr<const std::string*>()) : std::nullopt;
    if (!prefix) return refuse("policy.allowed_peers", "prefixes, \"192.0.2.0/24\"");
    policy.allowed_peers.push_back(*prefix);
  }
  return policy;
}

Read<PushedCredential> read_credential(const Json& object) {
  PushedCredential credential;
  if (!read_text(object, "username", credential.username)) return refuse("username", "a text");
  if (!read_text(object, "subject", credential.subject)) return refuse("subject", "a text");
  if (!read_key(object, "key_md5", credential.key_md5)) return refuse("key_md5", "hex of 16 bytes");
  if (!read_key(object, "key_sha256", credential.key_sha256)) return refuse("key_sha256", "hex of 32 bytes");
  if (!read_moment(object, "not_before", credential.not_before))
    return refuse("not_before", "seconds since 1970");
  if (find_member(object, "expires_at") == nullptr ||
      !read_moment(object, "expires_at", credential.expires_at))
    return refuse("expires_at", "seconds since 1970");
  auto policy = read_policy(object);
  if (!policy) return std::unexpected(policy.error());
  credential.policy = std::move(*policy);
  return credential;
}

Read<credentials::Extension> read_extension(const Json& object) {
  credentials::Extension extension;
  if (!read_text(object, "username", extension.username)) return refuse("username", "a text");
  if (find_member(object, "expires_at") == nullptr ||
      !read_moment(object, "expires_at", extension.expires_at))
    return refuse("expires_at", "seconds since 1970");
  return extension;
}

Read<Revocation> read_revocation(const Json& object) {
  std::string by;
  Revocation revocation;
  if (!read_text(object, "by", by)) return refuse("by", "a text");
  const auto kind = find_revocation_kind(by);
  if (!kind) return refuse("by", "username, subject, kid or token_hash");
  revocation.by = *kind;
  if (!read_text(object, "value", revocation.value) || revocation.value.empty())
    return refuse("value", "a text that is not empty");
  if (find_member(object, "until") == nullptr || !read_moment(object, "until", revocation.until))
    return refuse("until", "seconds since 1970: when what is revoked would have ended");
  return revocation;
}

Read<Change> read_change(const Json& object) {
  const auto to_change = [](auto read) -> Read<Change> {
    if (!read) return std::unexpected(read.error());
    return Change{std::move(*read)};
  };
  std::string op;
  if (!object.is_object() || !read_text(object, "op", op)) return refuse("changes", "objects with \"op\"");
  if (op == "put") return to_change(read_credential(object));
  if (op == "extend") return to_change(read_extension(object));
  if (op == "revoke") return to_change(read_revocation(object));
  return refuse("op", "put, extend or revoke");
}

// Nothing where there is no stream.
Read<std::optional<StreamPosition>> read_position(const Json& object) {
  StreamPosition position;
  if (find_member(object, "stream") == nullptr) return std::nullopt;
  if (!read_text(object, "stream", position.stream) || !is_stream_name(position.stream))
    return refuse("stream", "1 to 64 letters, digits, \"-\" or \"_\"");
  if (find_member(object, "sequence") == nullptr || !read_number(object, "sequence", position.sequence))
    return refuse("sequence", "a number");
  return position;
}

template <typename Item, typename ReadItem>
Read<std::vector<Item>> read_list(const Json& object, const char* name, ReadItem read_item) {
  std::vector<Item> items;
  const Json* list = find_member(object, name);
  if (list == nullptr) return items;
  if (!list->is_array()) return refuse(name, "an array");
  for (const Json& entry : *list) {
    auto item = entry.is_object() ? read_item(entry) : refuse(name, "objects");
    if (!item) return std::unexpected(item.error());
    items.push_back(std::move(*item));
  }
  return items;
}

// --- writing ----------------------------------------------------------------------------------------------

Json to_json(const credentials::Policy& policy) {
  Json json = Json::object();
  if (policy.allocations_max != 0) json["allocations_max"] = policy.allocations_max;
  if (policy.bytes_per_second != 0) json["bytes_per_second"] = policy.bytes_per_second;
  for (const IpPrefix& prefix : policy.allowed_peers) json["allowed_peers"].push_back(prefix.to_string());
  return json;
}

void add_moment(Json& json, const char* name, WallTime at) {
  if (at > WallTime{} && at != WallTime::max()) json[name] = unix_seconds(at);
}

Json to_json(const PushedCredential& credential) {
  Json json;
  json["username"] = credential.username;
  if (!credential.subject.empty()) json["subject"] = credential.subject;
  if (!credential.key_md5.empty()) json["key_md5"] = to_hex(credential.key_md5.reveal());
  if (!credential.key_sha256.empty()) json["key_sha256"] = to_hex(credential.key_sha256.reveal());
  add_moment(json, "not_before", credential.not_before);
  json["expires_at"] = unix_seconds(credential.expires_at);
  if (credential.policy != credentials::Policy{}) json["policy"] = to_json(credential.policy);
  return json;
}

Json to_json(const Revocation& revocation) {
  Json json;
  json["by"] = to_string(revocation.by);
  json["value"] = revocation.value;
  json["until"] = unix_seconds(revocation.until);
  return json;
}

Json with_op(const char* op, Json json) {
  json["op"] = op;
  return json;
}

Json to_op(const PushedCredential& credential) { return with_op("put", to_json(credential)); }
Json to_op(const Revocation& revocation) { return with_op("revoke", to_json(revocation)); }
Json to_op(const credentials::Extension& extension) {
  return {
      {"username", extension.username}, {"expires_at", unix_seconds(extension.expires_at)}, {"op", "extend"}};
}

void add_position(Json& json, const StreamPosition& position) {
  json["stream"] = position.stream;
  json["sequence"] = position.sequence;
}

std::optional<credentials::PushOutcome> find_outcome(std::string_view name) {
  using enum credentials::PushOutcome;
  for (const auto outcome : {done, repeated, gap, full, unknown, invalid})
    if (credentials::to_string(outcome) == name) return outcome;
  return std::nullopt;
}

Json to_json(const std::vector<credentials::ChangeResult>& results) {
  Json json = Json::array();
  for (const auto& result : results)
    json.push_back({{"outcome", credentials::to_string(result.outcome)},
                    {"allocations_ended", result.allocations_ended}});
  return json;
}

Read<credentials::ChangeResult> read_result(const Json& entry) {
  std::string name;
  credentials::ChangeResult result;
  if (!read_text(entry, "outcome", name)) return refuse("outcome", "a text");
  const auto outcome = find_outcome(name);
  if (!outcome || !read_number(entry, "allocations_ended", result.allocations_ended))
    return refuse("results", "an outcome that is known, and a number");
  result.outcome = *outcome;
  return result;
}

}  // namespace

bool is_stream_name(std::string_view text) {
  return !text.empty() && text.size() <= stream_name_max && std::ranges::all_of(text, [](char c) {
    return sip::is_in(c, sip::char_alpha | sip::char_digit) || c == '-' || c == '_';
  });
}

std::optional<By> find_revocation_kind(std::string_view name) {
  const auto found = std::ranges::find(kinds, name);
  if (found == kinds.end()) return std::nullopt;
  return static_cast<By>(found - kinds.begin());
}

std::string_view to_string(By by) { return kinds.at(static_cast<std::size_t>(by)); }

std::string format_credential(const PushedCredential& credential) { return to_text(to_json(credential)); }

Read<PushedCredential> parse_credential(std::string_view json, std::string_view username) {
  const auto object = parse_object(json);
  if (!object) return std::unexpected(object.error());
  auto credential = read_credential(*object);
  if (!credential) return credential;
  if (!credential->username.empty() && credential->username != username)
    return refuse("username", "as in the path");
  credential->username = username;
  return credential;
}

Read<credentials::Extension> parse_extension(std::string_view json, std::string_view username) {
  const auto object = parse_object(json);
  if (!object) return std::unexpected(object.error());
  auto extension = read_extension(*object);
  if (extension) extension->username = username;
  return extension;
}

std::string format_batch(const ChangeBatch& batch) {
  Json json;
  if (batch.first) add_position(json, *batch.first);
  json["changes"] = Json::array();
  for (const Change& change : batch.changes)
    json["changes"].push_back(std::visit([](const auto& what) { return to_op(what); }, change));
  return to_text(json);
}

Read<ChangeBatch> parse_batch(std::string_view json) {
  const auto object = parse_object(json);
  if (!object) return std::unexpected(object.error());
  auto position = read_position(*object);
  if (!position) return std::unexpected(position.error());
  auto changes = read_list<Change>(*object, "changes", read_change);
  if (!changes) return std::unexpected(changes.error());
  return ChangeBatch{.first = std::move(*position), .changes = std::move(*changes)};
}

std::string format_state(const FullState& state) {
  Json json;
  add_position(json, state.position);
  json["keep_others"] = state.keeps_others;
  json["credentials"] = Json::array();
  for (const PushedCredential& credential : state.credentials)
    json["credentials"].push_back(to_json(credential));
  json["revocations"] = Json::array();
  for (const Revocation& revocation : state.revocations) json["revocations"].push_back(to_json(revocation));
  return to_text(json);
}

Read<FullState> parse_state(std::string_view json) {
  const auto object = parse_object(json);
  if (!object) return std::unexpected(object.error());
  auto position = read_position(*object);
  if (!position) return std::unexpected(position.error());
  if (!*position) return refuse("stream", "the name of the issuer's stream");
  FullState state{.position = std::move(**position)};
  if (!read_flag(*object, "keep_others", state.keeps_others)) return refuse("keep_others", "true or false");
  auto credentials = read_list<PushedCredential>(*object, "credentials", read_credential);
  if (!credentials) return std::unexpected(credentials.error());
  auto revocations = read_list<Revocation>(*object, "revocations", read_revocation);
  if (!revocations) return std::unexpected(revocations.error());
  state.credentials = std::move(*credentials);
  state.revocations = std::move(*revocations);
  return state;
}

std::string format_batch_answer(const BatchAnswer& answer) {
  Json json;
  json["sequence"] = answer.sequence;
  json["results"] = to_json(answer.results);
  if (!answer.revocations.empty()) json["revocations"] = to_json(answer.revocations);
  return to_text(json);
}

Read<BatchAnswer> parse_batch_answer(std::string_view json) {
  const auto object = parse_object(json);
  if (!object) return std::unexpected(object.error());
  BatchAnswer answer;
  if (!read_number(*object, "sequence", answer.sequence)) return refuse("sequence", "a number");
  auto results = read_list<credentials::ChangeResult>(*object, "results", read_result);
  if (!results) return std::unexpected(results.error());
  answer.results = std::move(*results);
  auto revocations = read_list<credentials::ChangeResult>(*object, "revocations", read_result);
  if (!revocations) return std::unexpected(revocations.error());
  answer.revocations = std::move(*revocations);
  return answer;
}

std::string format_entries(const std::vector<credentials::PushedEntry>& entries) {
  Json json;
  json["credentials"] = Json::array();
  for (const auto& entry : entries) {
    Json shown;
    shown["username"] = entry.username;
    shown["subject"] = entry.subject;
    add_moment(shown, "not_before", entry.not_before);
    shown["expires_at"] = unix_seconds(entry.expires_at);
    if (entry.policy != credentials::Policy{}) shown["policy"] = to_json(entry.policy);
    json["credentials"].push_back(std::move(shown));
  }
  return to_text(json);
}

std::string format_health(const RelayHealth& health) {
  Json json;
  json["status"] = health.is_draining ? "draining" : "ok";
  json["realm"] = health.realm;
  json["load"] = {{"allocations", health.allocations}, {"credentials", health.credentials}};
  json["capacity"] = {{"allocations", health.allocations_max}, {"credentials", health.credentials_max}};
  if (health.position) add_position(json, *health.position);
  return to_text(json);
}

Read<RelayHealth> parse_health(std::string_view json) {
  const auto object = parse_object(json);
  if (!object) return std::unexpected(object.error());
  RelayHealth health;
  std::string status;
  if (!read_text(*object, "status", status) || (status != "ok" && status != "draining"))
    return refuse("status", "ok or draining");
  health.is_draining = status == "draining";
  if (!read_text(*object, "realm", health.realm)) return refuse("realm", "a text");
  const auto read_pair = [&](const char* name, std::uint64_t& allocations, std::uint64_t& credentials) {
    const Json* member = find_member(*object, name);
    return member != nullptr && member->is_object() && read_number(*member, "allocations", allocations) &&
           read_number(*member, "credentials", credentials);
  };
  if (!read_pair("load", health.allocations, health.credentials)) return refuse("load", "numbers");
  if (!read_pair("capacity", health.allocations_max, health.credentials_max))
    return refuse("capacity", "numbers");
  auto position = read_position(*object);
  if (!position) return std::unexpected(position.error());
  health.position = std::move(*position);
  return health;
}

std::string format_problem(std::string_view error, std::optional<std::uint64_t> sequence) {
  Json json;
  json["error"] = error;
  if (sequence) json["sequence"] = *sequence;
  return to_text(json);
}

}  // namespace turnpike::service
