#pragma once
// Makes a credential as the eP-CSCF or the WAF would, from the configuration of the relay, in the JSON that a
// WebRTC application takes (RTCConfiguration.iceServers), or that a native RFC 7635 client takes. The user id
// never shows: an opaque one stands for it.

#include <chrono>
#include <expected>
#include <optional>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "program/config.hpp"

namespace turnpike::program {

struct IssueRequest {
  credentials::Source source = credentials::Source::computed;
  std::string user;
  std::chrono::seconds ttl{600};
  bool rfc7635 = false;          // token: as a native client takes it, not a browser
  credentials::Policy policy{};  // pushed, and tokens in the browser form
};

struct ToPush {  // has to be in the relay before its user shows it
  std::string username;
  Secret password;
  std::string subject;
  WallTime expires_at{};
  credentials::Policy policy{};
};

struct Issued {
  std::string json;  // of several lines, without the last end
  std::optional<ToPush> push{};
};

// The error is one line for the person who asked.
std::expected<Issued, std::string> issue(const Config& config, const IssueRequest& request, WallTime wall,
                                         Random& random);

// What opaque ids are made with; nothing where no secret is configured of which it could be made.
std::optional<Secret> find_opaque_id_key(const Config& config);

// The subjects that credentials of this user may have at `wall`: what revocation of a user revokes.
std::vector<std::string> subjects_of(const Config& config, std::string_view user, WallTime wall);

}  // namespace turnpike::program
