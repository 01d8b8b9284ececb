#include "waf/claim_rules.hpp"

#include <algorithm>
#include <expected>

#include "base/glob.hpp"

namespace turnpike::waf {
namespace {

using nlohmann::json;

constexpr std::size_t value_bytes_max = 128, identity_bytes_max = 255;

bool equals(const ClaimValue& wanted, const json& value) {
  if (const auto* text = std::get_if<std::string>(&wanted)) {
    const auto* found = value.get_ptr<const std::string*>();
    return found != nullptr && matches_glob(*text, *found);
  }
  if (const auto* flag = std::get_if<bool>(&wanted)) return value.is_boolean() && value == *flag;
  return value.is_number_integer() && value == std::get<std::int64_t>(wanted);
}

// Calls `on_text` for what stands between claims, and `on_claim` with the name of each.
template <typename OnText, typename OnClaim>
bool walk(std::string_view text, OnText on_text, OnClaim on_claim) {
  while (!text.empty()) {
    const auto open = std::min(text.find('{'), text.size());
    if (!on_text(text.substr(0, open))) return false;
    if (open == text.size()) return true;
    const auto close = text.find('}', open);
    if (close == std::string_view::npos || !on_claim(text.substr(open + 1, close - open - 1))) return false;
    text.remove_prefix(close + 1);
  }
  return true;
}

enum class Lack : std::uint8_t { absent, unfit };

// What a claim may put into an identity: nothing that would end one part of it and begin another. An "@" is
// taken where the template has none.
std::expected<std::string, Lack> read_value(const json& claims, std::string_view name, bool may_have_domain) {
  const json* found = find_claim(claims, name);
  if (found == nullptr || found->is_null()) return std::unexpected(Lack::absent);
  std::string text;
  if (const auto* value = found->get_ptr<const std::string*>()) {
    text = *value;
  } else if (found->is_number_integer()) {
    text = found->dump();
  }
  const auto is_fit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"-._~+@"}.contains(c);
  };
  const auto ats = std::ranges::count(text, '@');
  const bool has_fit_ats =
      ats == 0 || (ats == 1 && may_have_domain && !text.starts_with('@') && !text.ends_with('@'));
  if (text.empty() || text.size() > value_bytes_max || !std::ranges::all_of(text, is_fit) || !has_fit_ats)
    return std::unexpected(Lack::unfit);
  return text;
}

std::expected<std::string, Lack> fill(std::string_view text, const json& claims) {
  std::string filled;
  auto lack = Lack::unfit;
  const bool may_have_domain = !names_domain(text);
  const bool is_whole = walk(
      text,
      [&](std::string_view between) {
        filled += between;
        return true;
      },
      [&](std::string_view name) {
        const auto value = read_value(claims, name, may_have_domain);
        if (value) {
          filled += *value;
        } else {
          lack = value.error();
        }
        return value.has_value();
      });
  if (!is_whole) return std::unexpected(lack);
  if (filled.size() > identity_bytes_max) return std::unexpected(Lack::unfit);
  return filled;
}

std::optional<Identity> apply(const ClaimRule& rule, const json& claims) {
  const auto is_met = [&](const ClaimCondition& condition) { return holds(condition, claims); };
  if (!std::ranges::all_of(rule.conditions, is_met)) return std::nullopt;
  auto impi = fill(rule.impi, claims);
  if (!impi) return std::nullopt;
  Identity identity{.impi = std::move(*impi), .wwsf = rule.wwsf, .is_pool_identity = rule.is_pool};
  for (const std::string& pattern : rule.impus) {
    auto impu = fill(pattern, claims);
    if (impu) {
      identity.impus.push_back(std::move(*impu));
    } else if (impu.error() == Lack::unfit) {
      return std::nullopt;
    }
  }
  return identity.impus.empty() ? std::nullopt : std::optional{std::move(identity)};
}

}  // namespace

const json* find_claim(const json& claims, std::string_view name) {
  const json* at = &claims;
  const bool is_path = name.starts_with('/');
  if (is_path) name.remove_prefix(1);
  while (at->is_object()) {
    const std::string_view part = is_path ? name.substr(0, name.find('/')) : name;
    const auto found = at->find(part);
    if (found == at->end()) return nullptr;
    at = &*found;
    if (part.size() == name.size()) return at;
    name.remove_prefix(part.size() + 1);
  }
  return nullptr;
}

bool holds(const ClaimCondition& condition, const json& claims) {
  const json* found = find_claim(claims, condition.claim);
  if (found == nullptr) return false;
  const auto is_wanted = [&](const json& value) {
    return std::ranges::any_of(condition.values, [&](const auto& wanted) { return equals(wanted, value); });
  };
  return found->is_array() ? std::ranges::any_of(*found, is_wanted) : is_wanted(*found);
}

std::optional<std::string> find_template_problem(std::string_view text) {
  if (text.empty() || text.size() > identity_bytes_max) return "has 1 to 255 characters";
  const auto is_plain = [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; };
  if (!std::ranges::all_of(text, is_plain)) return "has no spaces, quotes and control characters";
  const bool is_whole = walk(
      text, [](std::string_view between) { return !between.contains('}'); },
      [](std::string_view name) { return !name.empty() && name != "/" && !name.contains('{'); });
  if (!is_whole) return "has claims in braces, such as {preferred_username}";
  return std::nullopt;
}

bool names_domain(std::string_view text) {
  bool has_at = false;
  walk(
      text,
      [&](std::string_view between) {
        has_at = has_at || between.contains('@');
        return true;
      },
      [](std::string_view /*name*/) { return true; });
  return has_at;
}

std::optional<Identity> map_claims(const Provider& provider, const json& claims) {
  for (const ClaimRule& rule : provider.rules) {
    auto identity = apply(rule, claims);
    if (!identity) continue;
    const auto is_its_own = [&](const std::string& it) { return matches_glob(it, identity->impi); };
    if (!provider.impis.empty() && std::ranges::none_of(provider.impis, is_its_own)) continue;
    return identity;
  }
  return std::nullopt;
}

}  // namespace turnpike::waf
