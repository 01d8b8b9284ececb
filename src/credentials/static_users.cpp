#include "credentials/static_users.hpp"

namespace turnpike::credentials {

StaticUsers::StaticUsers(const StaticSettings& settings, std::string_view realm) : policy_(settings.policy) {
  for (const auto& [username, password] : settings.users) {
    const std::string_view text = password.reveal_text();
    const auto added = users_.try_emplace(
        username, Keys{.md5 = make_long_term_key(PasswordAlgorithm::md5, username, realm, text),
                       .sha256 = make_long_term_key(PasswordAlgorithm::sha256, username, realm, text),
                       .userhash = make_userhash(username, realm)});
    by_userhash_.emplace(added.first->second.userhash, &*added.first);
  }
}

Verdict StaticUsers::verify(Attempt& attempt) const {
  const Users::value_type* user = find(attempt.claim());
  if (user == nullptr) return std::unexpected(Refusal::unknown_user);
  const auto& [username, keys] = *user;
  const PasswordAlgorithm algorithm = attempt.claim().algorithm;
  if (!attempt.proves(keys.of(algorithm).reveal())) return std::unexpected(Refusal::wrong_key);
  return Grant{.source = Source::static_user,
               .username = username,
               .subject = username,
               .userhash = keys.userhash,
               .key = keys.of(algorithm),
               .algorithm = algorithm,
               .policy = policy_};
}

bool StaticUsers::still_grants(const Grant& grant) const {
  const auto user = users_.find(grant.username);
  return user != users_.end() && user->second.of(grant.algorithm) == grant.key;
}

const StaticUsers::Users::value_type* StaticUsers::find(const Claim& claim) const {
  if (claim.userhash != nullptr) {
    const auto found = by_userhash_.find(*claim.userhash);
    return found == by_userhash_.end() ? nullptr : found->second;
  }
  const auto found = users_.find(claim.username);
  return found == users_.end() ? nullptr : &*found;
}

}  // namespace turnpike::credentials
