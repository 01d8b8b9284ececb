#pragma once
// The words of credential provisioning (TS 33.203 X.5): what a WIC asks for, and what it is handed.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "credentials/pushed_table.hpp"
#include "credentials/token.hpp"

namespace turnpike::provisioning {

// The "type" of an entry: a username and password for every TURN client and browser, or an RFC 7635 token.
enum class Form : std::uint8_t { password, oauth };

// "Turn-Credentials: request;type=...;ttl=..."
struct Request {
  std::optional<std::string> realm{};
  std::optional<std::chrono::seconds> ttl{};
  std::optional<std::string> transport{};  // "udp" or "tcp": only URIs of it
  std::optional<Form> form{};
  std::optional<credentials::Source> source{};  // of the password: computed, pushed or token, and no other
};

// One credential with the URIs that it opens.
struct Entry {
  Form form = Form::password;
  std::vector<std::string> uris{};  // RFC 7065
  std::string realm{};
  std::string username{};     // oauth: the kid
  Secret password{};          // oauth: base64 of the mac_key
  ByteVector access_token{};  // oauth alone
  std::string algorithm{};    // oauth alone: "HMAC-SHA-1"
  std::string server_name{};  // oauth alone
  std::chrono::seconds ttl{};
  WallTime expires_at{};
};

struct Provision {
  std::vector<Entry> entries{};                                // passwords first: browsers take them all
  std::chrono::seconds refresh_after{};                        // from now, when newer ones should be fetched
  credentials::Source source = credentials::Source::computed;  // of the password entries
  // Pushed: has to be acknowledged by a relay before the WIC sees the entries.
  std::optional<credentials::PushedCredential> push{};
};

}  // namespace turnpike::provisioning
