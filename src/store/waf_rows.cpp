#include "store/waf_rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace turnpike::store {
namespace {

// Times are nanoseconds since 1970. What nobody names ('' elsewhere) is NULL where it is looked for.
constexpr std::array migrations{
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    // Rows of the tables that have a limit, so that nobody has to count them.
    "CREATE TABLE counter (name TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO counter VALUES ('once', 0), ('attempts', 0);"

    "CREATE TABLE client ("
    "  id TEXT PRIMARY KEY, name TEXT NOT NULL, method TEXT NOT NULL, secrets TEXT NOT NULL,"
    "  jwks TEXT NOT NULL, redirect_uris TEXT NOT NULL, grants TEXT NOT NULL, scopes TEXT NOT NULL,"
    "  audiences TEXT NOT NULL, introspects TEXT NOT NULL, wwsf TEXT NOT NULL,"
    "  has_identity INTEGER NOT NULL, impi TEXT NOT NULL, impus TEXT NOT NULL,"
    "  identity_wwsf TEXT NOT NULL, is_pool_identity INTEGER NOT NULL, needs_consent INTEGER NOT NULL,"
    "  requires_dpop INTEGER NOT NULL, exchanges_for_others INTEGER NOT NULL,"
    "  is_enabled INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE user ("
    "  id TEXT PRIMARY KEY, name TEXT UNIQUE, password TEXT NOT NULL, impi TEXT NOT NULL,"
    "  impus TEXT NOT NULL, wwsf TEXT NOT NULL, is_pool_identity INTEGER NOT NULL,"
    "  is_enabled INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE consent ("
    "  user TEXT NOT NULL, client TEXT NOT NULL, scope TEXT NOT NULL, given_at INTEGER NOT NULL,"
    "  PRIMARY KEY (user, client)) WITHOUT ROWID;"
    "CREATE INDEX consent_client ON consent(client);"

    "CREATE TABLE session ("
    "  id BLOB PRIMARY KEY, user TEXT NOT NULL, began_at INTEGER NOT NULL,"
    "  ends_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX session_user ON session(user, began_at);"
    "CREATE INDEX session_end ON session(ends_at);"

    "CREATE TABLE code ("
    "  digest BLOB PRIMARY KEY, family TEXT NOT NULL, client TEXT NOT NULL, user TEXT NOT NULL,"
    "  scope TEXT NOT NULL, audiences TEXT NOT NULL, jkt TEXT NOT NULL,"
    "  authenticated_at INTEGER NOT NULL, family_ends_at INTEGER NOT NULL,"
    "  redirect_uri TEXT NOT NULL, challenge TEXT NOT NULL, ends_at INTEGER NOT NULL,"
    "  remembered_until INTEGER NOT NULL, is_redeemed INTEGER NOT NULL,"
    "  forget_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX code_user ON code(user);"
    "CREATE INDEX code_client ON code(client);"
    "CREATE INDEX code_end ON code(forget_at);"

    "CREATE TABLE family ("
    "  id TEXT PRIMARY KEY, client TEXT NOT NULL, user TEXT NOT NULL, scope TEXT NOT NULL,"
    "  audiences TEXT NOT NULL, jkt TEXT NOT NULL, authenticated_at INTEGER NOT NULL,"
    "  ends_at INTEGER NOT NULL, refresh BLOB, is_revoked INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX family_user ON family(user, authenticated_at) WHERE is_revoked = 0;"
    "CREATE INDEX family_client ON family(client) WHERE is_revoked = 0;"
    "CREATE INDEX family_end ON family(ends_at);"

    "CREATE TABLE issued ("
    "  id TEXT NOT NULL UNIQUE, twin TEXT, kind TEXT NOT NULL, family TEXT, client TEXT NOT NULL,"
    "  subject TEXT NOT NULL, audience TEXT NOT NULL, scope TEXT NOT NULL, turn_subject TEXT NOT NULL,"
    "  issued_at INTEGER NOT NULL, ends_at INTEGER NOT NULL);"
    "CREATE INDEX issued_twin ON issued(twin) WHERE twin IS NOT NULL;"
    "CREATE INDEX issued_family ON issued(family) WHERE family IS NOT NULL;"
    "CREATE INDEX issued_client ON issued(client);"
    "CREATE INDEX issued_subject ON issued(subject);"
    "CREATE INDEX issued_turn ON issued(turn_subject) WHERE kind = 'turn';"
    "CREATE INDEX issued_end ON issued(ends_at);"

    "CREATE TABLE once (key TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX once_end ON once(until);"
    "CREATE TRIGGER once_added AFTER INSERT ON once"
    "  BEGIN UPDATE counter SET rows = rows + 1 WHERE name = 'once'; END;"
    "CREATE TRIGGER once_removed AFTER DELETE ON once"
    "  BEGIN UPDATE counter SET rows = rows - 1 WHERE name = 'once'; END;"

    "CREATE TABLE attempts ("
    "  key TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_at INTEGER NOT NULL,"
    "  forgotten_at INTEGER NOT NULL, locked_until INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX attempts_age ON attempts(last_at);"
    "CREATE INDEX attempts_end ON attempts(forgotten_at);"
    "CREATE TRIGGER attempts_added AFTER INSERT ON attempts"
    "  BEGIN UPDATE counter SET rows = rows + 1 WHERE name = 'attempts'; END;"
    "CREATE TRIGGER attempts_removed AFTER DELETE ON attempts"
    "  BEGIN UPDATE counter SET rows = rows - 1 WHERE name = 'attempts'; END;"

    "CREATE TABLE signing_key ("
    "  kid TEXT PRIMARY KEY, jwk BLOB NOT NULL, published_at INTEGER NOT NULL,"
    "  signs_from INTEGER NOT NULL, signs_until INTEGER NOT NULL,"
    "  published_until INTEGER NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE audit ("
    "  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL, client TEXT NOT NULL,"
    "  subject TEXT NOT NULL, remote TEXT NOT NULL, detail TEXT NOT NULL);",

    // What relays have to be told of, until it has ended; each row has a place of its own for ever.
    "CREATE TABLE revoked ("
    "  place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, twin TEXT NOT NULL, audience TEXT NOT NULL,"
    "  turn_subject TEXT NOT NULL, ends_at INTEGER NOT NULL, was_single INTEGER NOT NULL);"
    "CREATE INDEX revoked_end ON revoked(ends_at);"
    "CREATE TABLE told (only INTEGER PRIMARY KEY CHECK (only = 1), place INTEGER NOT NULL);"
    "INSERT INTO told VALUES (1, 0);"
    // What strangers cause drives out its own kind alone.
    "ALTER TABLE audit ADD COLUMN is_by_stranger INTEGER NOT NULL DEFAULT 0;"
    "UPDATE audit SET is_by_stranger = 1 WHERE event IN ('login_failed', 'client_refused');"
    "CREATE INDEX audit_kind ON audit(is_by_stranger, id);"
    "INSERT INTO counter VALUES ('audit 0', (SELECT count(*) FROM audit WHERE is_by_stranger = 0)),"
    "  ('audit 1', (SELECT count(*) FROM audit WHERE is_by_stranger = 1));"
    "CREATE TRIGGER audit_added AFTER INSERT ON audit"
    "  BEGIN UPDATE counter SET rows = rows + 1 WHERE name = 'audit ' || new.is_by_stranger; END;"
    "CREATE TRIGGER audit_removed AFTER DELETE ON audit"
    "  BEGIN UPDATE counter SET rows = rows - 1 WHERE name = 'audit ' || old.is_by_stranger; END;",

    // Whose which identity is, as waf::identity_keys() writes it. Users whom the operator has added may share
    // one. The lists of public ones end each item with a line feed.
    "CREATE TABLE user_identity (key TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY (key, user)) WITHOUT "
    "ROWID;"
    "CREATE INDEX user_identity_user ON user_identity(user);"
    "INSERT INTO user_identity SELECT 'private ' || lower(impi), id FROM user WHERE impi <> '';"
    "WITH RECURSIVE item(user, rest, text) AS (SELECT id, impus, '' FROM user UNION ALL"
    "  SELECT user, substr(rest, instr(rest, char(10)) + 1), substr(rest, 1, instr(rest, char(10)) - 1)"
    "  FROM item WHERE instr(rest, char(10)) > 0)"
    "  INSERT OR IGNORE INTO user_identity SELECT 'public ' || lower(text), user FROM item WHERE text <> '';",
    "CREATE TABLE turn_key ("
    "  kid TEXT PRIMARY KEY, server_name TEXT NOT NULL, key BLOB, algorithm TEXT NOT NULL,"
    "  published_at INTEGER NOT NULL, used_from INTEGER NOT NULL, used_until INTEGER NOT NULL,"
    "  accepted_until INTEGER NOT NULL, fetched_at INTEGER NOT NULL,"
    "  is_withdrawn INTEGER NOT NULL) WITHOUT ROWID;",

    // Registration tokens as well: an eP-CSCF ends what rests on them.
    "ALTER TABLE revoked ADD COLUMN kind TEXT NOT NULL DEFAULT 'turn';",
};

constexpr std::array methods{waf::ClientMethod::none, waf::ClientMethod::client_secret_basic,
                             waf::ClientMethod::client_secret_post, waf::ClientMethod::private_key_jwt};
constexpr std::array grant_types{waf::GrantType::authorization_code, waf::GrantType::refresh_token,
                                 waf::GrantType::client_credentials, waf::GrantType::token_exchange,
                                 waf::GrantType::jwt_bearer};

waf::IssuedKind kind_of(std::string_view name) {
  return name == "turn" ? waf::IssuedKind::turn : waf::IssuedKind::registration;
}

std::string copy_of(std::string_view text) { return std::string{text}; }

waf::Digest read_digest(Bytes bytes) {
  waf::Digest digest{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), digest.size()), digest.begin());
  return digest;
}

template <typename Items>
std::string join(const Items& items) {
  std::string text;
  for (std::string_view item : items) {
    for (const char c : item) {
      if (c == '\\' || c == '\n') text += '\\';
      text += c == '\n' ? 'n' : c;
    }
    text += '\n';
  }
  return text;
}

// Authentication by a method that is not known here fails, and so does not become one by none.
waf::ClientMethod read_method(std::string_view text) {
  const auto found = std::ranges::find(methods, text, [](auto it) { return waf::to_string(it); });
  return found == methods.end() ? waf::ClientMethod::private_key_jwt : *found;
}

// "DIGEST ENDS_AT", in hex and nanoseconds.
std::vector<waf::ClientSecret> read_secrets(std::string_view text) {
  std::vector<waf::ClientSecret> secrets;
  for (const std::string& item : unpack(text)) {
    const std::size_t space = item.find(' ');
    const auto digest = from_hex(std::string_view{item}.substr(0, space));
    std::int64_t ends_at = 0;
    if (!digest || digest->size() != sizeof(waf::Digest) || space == std::string::npos) continue;
    std::from_chars(item.data() + space + 1, item.data() + item.size(), ends_at);
    secrets.push_back({.digest = read_digest(*digest), .ends_at = WallTime{Duration{ends_at}}});
  }
  return secrets;
}

waf::GrantTypes read_grants(std::string_view text) {
  waf::GrantTypes grants;
  for (const std::string& item : unpack(text))
    if (const auto type = waf::parse_grant_type(item)) grants.insert(*type);
  return grants;
}

// Four columns from this one on.
waf::Identity read_identity(const Statement& row, int column) {
  return {.impi = copy_of(row.text(column)),
          .impus = unpack(row.text(column + 1)),
          .wwsf = copy_of(row.text(column + 2)),
          .is_pool_identity = row.number(column + 3) != 0};
}

waf::Family read_family_from(const Statement& row, int column) {
  return {.id = copy_of(row.text(column)),
          .client = copy_of(row.text(column + 1)),
          .user = copy_of(row.text(column + 2)),
          .scope = unpack_scope(row.text(column + 3)),
          .audiences = unpack_scope(row.text(column + 4)),
          .jkt = copy_of(row.text(column + 5)),
          .authenticated_at = row.time(column + 6),
          .ends_at = row.time(column + 7)};
}

}  // namespace

const Schema& waf_schema() {
  static constexpr Schema schema{.application_id = 0x74707761, .migrations = migrations};  // "tpwa"
  return schema;
}

std::string pack(const std::vector<std::string>& items) { return join(items); }
std::string pack(const waf::Scope& items) { return join(items); }

std::vector<std::string> unpack(std::string_view text) {
  std::vector<std::string> items;
  std::string item;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      items.push_back(std::exchange(item, {}));
    } else if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      item += text[i] == 'n' ? '\n' : text[i];
    } else {
      item += text[i];
    }
  }
  return items;
}

waf::Scope unpack_scope(std::string_view text) {
  waf::Scope scope;
  for (std::string& item : unpack(text)) scope.insert(scope.end(), std::move(item));
  return scope;
}

std::string pack_secrets(const std::vector<waf::ClientSecret>& secrets) {
  std::vector<std::string> items;
  items.reserve(secrets.size());
  for (const waf::ClientSecret& secret : secrets)
    items.push_back(to_hex(secret.digest) + ' ' + std::to_string(secret.ends_at.time_since_epoch().count()));
  return pack(items);
}

std::string pack_grants(const waf::GrantTypes& grants) {
  std::vector<std::string> items;
  for (const waf::GrantType type : grant_types)
    if (grants.contains(type)) items.emplace_back(waf::to_string(type));
  return pack(items);
}

waf::Client read_client(const Statement& row) {
  waf::Client client{.id = copy_of(row.text(0)),
                     .name = copy_of(row.text(1)),
                     .method = read_method(row.text(2)),
                     .secrets = read_secrets(row.text(3)),
                     .jwks = copy_of(row.text(4)),
                     .redirect_uris = unpack(row.text(5)),
                     .grants = read_grants(row.text(6)),
                     .scopes = unpack_scope(row.text(7)),
                     .audiences = unpack_scope(row.text(8)),
                     .introspects = unpack_scope(row.text(9)),
                     .wwsf = copy_of(row.text(10)),
                     .needs_consent = row.number(16) != 0,
                     .requires_dpop = row.number(17) != 0,
                     .exchanges_for_others = row.number(18) != 0,
                     .is_enabled = row.number(19) != 0};
  if (row.number(11) != 0) client.identity = read_identity(row, 12);
  return client;
}

waf::User read_user(const Statement& row) {
  return {.id = copy_of(row.text(0)),
          .name = copy_of(row.text(1)),
          .password = copy_of(row.text(2)),
          .identity = read_identity(row, 3),
          .is_enabled = row.number(7) != 0};
}

waf::Consent read_consent(const Statement& row) {
  return {.user = copy_of(row.text(0)),
          .client = copy_of(row.text(1)),
          .scope = unpack_scope(row.text(2)),
          .given_at = row.time(3)};
}

waf::Session read_session(const Statement& row) {
  return {.id = read_digest(row.bytes(0)),
          .user = copy_of(row.text(1)),
          .began_at = row.time(2),
          .ends_at = row.time(3)};
}

CodeRow read_code(const Statement& row) {
  return {.code = {.digest = read_digest(row.bytes(0)),
                   .family = read_family_from(row, 1),
                   .redirect_uri = copy_of(row.text(9)),
                   .challenge = copy_of(row.text(10)),
                   .ends_at = row.time(11),
                   .remembered_until = row.time(12)},
          .is_redeemed = row.number(13) != 0};
}

FamilyRow read_family(const Statement& row) {
  return {
      .family = read_family_from(row, 0), .refresh = copy_of(row.text(8)), .is_revoked = row.number(9) != 0};
}

std::string_view name_of(waf::IssuedKind kind) {
  return kind == waf::IssuedKind::turn ? "turn" : "registration";
}

waf::Issued read_issued(const Statement& row) {
  return {.id = copy_of(row.text(0)),
          .twin = copy_of(row.text(1)),
          .kind = kind_of(row.text(2)),
          .family = copy_of(row.text(3)),
          .client = copy_of(row.text(4)),
          .subject = copy_of(row.text(5)),
          .audience = copy_of(row.text(6)),
          .scope = unpack_scope(row.text(7)),
          .turn_subject = copy_of(row.text(8)),
          .issued_at = row.time(9),
          .ends_at = row.time(10)};
}

waf::AuditEntry read_audit_entry(const Statement& row) {  // its id stands first
  return {.at = row.time(1),
          .event = copy_of(row.text(2)),
          .client = copy_of(row.text(3)),
          .subject = copy_of(row.text(4)),
          .remote = copy_of(row.text(5)),
          .detail = copy_of(row.text(6)),
          .is_by_stranger = row.number(7) != 0};
}

waf::Issued read_revoked(const Statement& row) {  // its place stands first
  return {.id = copy_of(row.text(1)),
          .twin = copy_of(row.text(2)),
          .kind = kind_of(row.text(7)),
          .audience = copy_of(row.text(3)),
          .turn_subject = copy_of(row.text(4)),
          .ends_at = row.time(5)};
}

}  // namespace turnpike::store
