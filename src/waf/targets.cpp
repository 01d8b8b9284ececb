#include "waf/targets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

namespace turnpike::waf {
namespace {

std::unexpected<Refusal> refuse(std::string description) {
  return std::unexpected(Refusal{Error::invalid_target, std::move(description)});
}

// RFC 8707 section 2: an absolute URI without a fragment.
bool is_absolute_uri(std::string_view text) {
  const auto colon = text.find(':');
  return colon != 0 && colon != std::string_view::npos && !text.contains('#') && !text.contains(' ');
}

bool means(const TurnTarget& target, std::string_view resource) {
  if (std::ranges::find(target.resources, resource) != target.resources.end()) return true;
  for (const std::string_view scheme : {"turn:", "turns:"})
    if (resource.starts_with(scheme) && resource.substr(scheme.size()) == target.token.server_name)
      return true;
  return false;
}

std::optional<std::string> find_audience_of(const Settings& settings, std::string_view resource) {
  const auto& own = settings.registration.resources;
  if (resource == settings.registration.audience || std::ranges::find(own, resource) != own.end())
    return settings.registration.audience;
  for (const TurnTarget& target : settings.turn)
    if (means(target, resource)) return target.token.server_name;
  return std::nullopt;
}

const TurnTarget* find_turn(const Settings& settings, std::string_view audience) {
  const auto found = std::ranges::find(
      settings.turn, audience, [](const TurnTarget& it) { return std::string_view{it.token.server_name}; });
  return found == settings.turn.end() ? nullptr : &*found;
}

bool may_ask_for(const Client& client, std::string_view audience) {
  return client.audiences.empty() || client.audiences.contains(audience);
}

const TurnTarget* find_first_turn(const Settings& settings, const Client& client, const Scope& scope,
                                  const Scope& bound) {
  for (const TurnTarget& target : settings.turn) {
    const std::string& name = target.token.server_name;
    if (may_ask_for(client, name) && scope.contains(target.scope) && (bound.empty() || bound.contains(name)))
      return &target;
  }
  return nullptr;
}

// All that the scope covers, within what the authorization is bound to.
Targets choose_by_scope(const Settings& settings, const Client& client, const Scope& scope,
                        const Scope& bound) {
  const RegistrationTarget& registration = settings.registration;
  Targets targets;
  targets.registration = scope.contains(registration.scope) && may_ask_for(client, registration.audience) &&
                         (bound.empty() || bound.contains(registration.audience));
  targets.turn = find_first_turn(settings, client, scope, bound);
  return targets;
}

std::expected<Targets, Refusal> choose_by_name(const Settings& settings, const Scope& audiences,
                                               const Scope& scope, const Scope& bound) {
  Targets targets{.were_named = true};
  for (const std::string& audience : audiences) {
    if (!bound.empty() && !bound.contains(audience))
      return refuse("the authorization is not for " + audience);
    const TurnTarget* turn = find_turn(settings, audience);
    const std::string& needed = turn == nullptr ? settings.registration.scope : turn->scope;
    if (!scope.contains(needed))
      return std::unexpected(
          Refusal{Error::invalid_scope, fmt::format("a token for {} needs the scope {}", audience, needed)});
    if (turn != nullptr && targets.turn != nullptr) return refuse("there are two TURN servers");
    if (turn == nullptr) {
      targets.registration = true;
    } else {
      targets.turn = turn;
    }
  }
  return targets;
}

}  // namespace

bool TurnTarget::names_subjects() const {
  return fetches_keys || std::ranges::any_of(token.keys, &credentials::TokenKey::derives);
}

std::expected<Scope, Refusal> read_audiences(const Settings& settings, const Client& client,
                                             const Form& form) {
  Scope audiences;
  auto names = form.find_all("resource");
  for (const std::string& resource : names)
    if (!is_absolute_uri(resource)) return refuse("a resource is an absolute URI without a fragment");
  std::ranges::move(form.find_all("audience"), std::back_inserter(names));
  if (form.has("aud")) names.emplace_back(form.find("aud"));  // as RFC 7635 appendix B spells it
  if (names.size() > settings.limits.targets_max) return refuse("there are too many targets");
  for (const std::string& name : names) {
    const TurnTarget* turn = find_turn(settings, name);
    const auto audience = turn == nullptr ? find_audience_of(settings, name) : std::optional{name};
    // What was asked for is not repeated: it may hold anything.
    if (!audience || audience->empty()) return refuse("a target is not known here");
    if (!may_ask_for(client, *audience)) return refuse("the client may not ask for tokens for " + *audience);
    audiences.insert(*audience);
  }
  return audiences;
}

std::expected<Targets, Refusal> choose_targets(const Settings& settings, const Client& client,
                                               const Form& form, const Scope& scope, const Scope& bound) {
  const auto audiences = read_audiences(settings, client, form);
  if (!audiences) return std::unexpected(audiences.error());
  const std::string_view type = form.find("token_type");
  if (!type.empty() && type != "pop")
    return std::unexpected(Refusal{Error::invalid_request, "token_type is pop, or absent"});
  const std::string_view algorithm = form.find("alg");
  if (!algorithm.empty() && algorithm != "HMAC-SHA-1")
    return std::unexpected(Refusal{Error::invalid_request, "alg is HMAC-SHA-1, or absent"});
  if (!audiences->empty()) {
    auto targets = choose_by_name(settings, *audiences, scope, bound);
    if (targets && !type.empty() && targets->turn == nullptr)
      return refuse("token_type=pop is for TURN servers alone");
    return targets;
  }
  Targets targets = choose_by_scope(settings, client, scope, bound);
  if (!type.empty()) {
    targets.registration = false;
    targets.were_named = true;
    if (targets.turn == nullptr) return refuse("there is no TURN server that the token could be for");
  }
  if (!targets.registration && targets.turn == nullptr)
    return std::unexpected(Refusal{Error::invalid_scope, "the scope covers no target"});
  return targets;
}

std::expected<Scope, Refusal> read_scope(const Settings& settings, const Form& form, const Scope& allowed) {
  if (allowed.empty()) return std::unexpected(Refusal{Error::invalid_scope, "nothing is allowed"});
  if (!form.has("scope")) return allowed;
  auto scope = parse_scope(form.find("scope"));
  if (!scope || scope->empty() || scope->size() > settings.limits.scope_tokens_max)
    return std::unexpected(Refusal{Error::invalid_scope, "the scope is not well-formed"});
  if (!is_within(*scope, allowed))
    return std::unexpected(
        Refusal{Error::invalid_scope, "the scope is more than is allowed: " + to_string(allowed)});
  return std::move(*scope);
}

}  // namespace turnpike::waf
