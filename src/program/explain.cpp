#include "program/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "program/time_text.hpp"

namespace turnpike::program {
namespace {

constexpr std::size_t shown_characters_max = 72;

// A browser form is long, and only its beginning tells something.
std::string shorten(const std::string& username) {
  if (username.size() <= shown_characters_max) return username;
  return fmt::format("{}... ({} characters)", username.substr(0, shown_characters_max), username.size());
}

// The expiry of a computed username can be read whether or not a secret knows it.
std::string describe_shape(std::string_view username, WallTime wall) {
  const std::string_view digits = username.substr(0, username.find(':'));
  std::uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (error == std::errc{} && end == digits.data() + digits.size()) {
    const WallTime at = from_unix_seconds(seconds);
    return fmt::format("a computed one (expiry \":\" id), made to expire {} ({})", format_time(at),
                       format_distance(at, wall));
  }
  const auto dot = username.rfind('.');
  if (dot != std::string_view::npos && username.size() - dot > 64)
    return fmt::format("a token in its browser form (kid \".\" token), kid \"{}\"", username.substr(0, dot));
  return "a plain name, or the kid of a token";
}

std::string describe_policy(const credentials::Policy& policy) {
  std::string text;
  if (policy.allocations_max != 0)
    text += fmt::format("allocations  {} at the same time\n", policy.allocations_max);
  if (policy.bytes_per_second != 0)
    text += fmt::format("rate         {} bytes/s per allocation\n", policy.bytes_per_second);
  for (const IpPrefix& peer : policy.allowed_peers)
    text += fmt::format("peers        {}\n", peer.to_string());
  return text;
}

}  // namespace

Explanation explain(const credentials::Registry& registry, std::string_view username, WallTime wall) {
  return {std::string{username}, registry.explain(username, wall)};
}

std::string format_explanation(const Explanation& explanation, WallTime wall) {
  std::string text = fmt::format("username     {}\nlooks like   {}\n", shorten(explanation.username),
                                 describe_shape(explanation.username, wall));
  if (!explanation.is_valid())
    return text + fmt::format("verdict      refused, {}: {}\n",
                              credentials::to_string(explanation.grant.error()),
                              explain_refusal(explanation.grant.error()));
  const credentials::Grant& grant = *explanation.grant;
  text += fmt::format("source       {}\n", credentials::to_string(grant.source));
  if (!grant.kid.empty()) text += fmt::format("issuer key   {}\n", grant.kid);
  text += fmt::format("subject      {}\n", grant.subject);
  text += grant.expires_at == WallTime::max()
              ? "expires      never\n"
              : fmt::format("expires      {} ({})\n", format_time(grant.expires_at),
                            format_distance(grant.expires_at, wall));
  return text + describe_policy(grant.policy) +
         "verdict      valid; with the right password it is accepted\n";
}

std::string_view explain_refusal(credentials::Refusal refusal) {
  using enum credentials::Refusal;
  switch (refusal) {
    case unknown_user:
      return "no source knows this name";
    case wrong_key:
      return "the name is known, the password is wrong";
    case malformed_username:
      return "it begins like a computed or token username and does not go on like one";
    case expired:
      return "its time is over";
    case not_yet_valid:
      return "its time has not come";
    case revoked:
      return "it was taken back";
    case unknown_key:
      return "it names a key that is not configured here";
    case token_malformed:
      return "the token is not laid out as RFC 7635 section 6.2 says";
    case token_forged:
      return "the token does not open: another key or server name, or it was altered";
    case token_without_lifetime:
      return "the token has a lifetime of zero";
    case wrong_realm:
      return "it was made for another realm";
  }
  return "";
}

}  // namespace turnpike::program
