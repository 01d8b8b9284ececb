#include "service/token_rules.hpp"

#include <algorithm>
#include <optional>

#include "base/glob.hpp"
#include "jose/json.hpp"

namespace turnpike::service {
namespace {

using nlohmann::json;

constexpr std::size_t identity_bytes_max = 255;
constexpr std::size_t impus_max = 32;

// It goes into headers of SIP: no quotes, spaces, brackets, separators or control characters.
bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= identity_bytes_max &&
         std::ranges::all_of(text, [](unsigned char character) {
           return character > 0x20 && character < 0x7f &&
                  std::string_view{"\"<>,;?\\^`{|}"}.find(static_cast<char>(character)) ==
                      std::string_view::npos;
         });
}

// TS 23.003 section 13.3: a network access identifier, user@realm.
bool is_private_identity(std::string_view text) {
  const auto at = text.find('@');
  return is_plain(text) && at != 0 && at != std::string_view::npos && at + 1 < text.size() &&
         text.find('@', at + 1) == std::string_view::npos;
}

// TS 23.003 section 13.4: a SIP or tel URI, without parameters.
bool is_public_identity(std::string_view text) {
  if (!is_plain(text)) return false;
  if (text.starts_with("tel:")) return text.size() > 4;
  const std::size_t scheme = text.starts_with("sip:") ? 4 : text.starts_with("sips:") ? 5 : 0;
  return scheme != 0 && is_private_identity(text.substr(scheme));
}

std::optional<std::vector<std::string>> read_impus(const json& payload, const std::string& claim) {
  const auto found = payload.find(claim);
  if (found == payload.end()) return std::nullopt;
  std::vector<std::string> impus;
  const auto add = [&](const json& value) {
    const auto* text = value.get_ptr<const std::string*>();
    if (text == nullptr || !is_public_identity(*text)) return false;
    impus.push_back(*text);
    return true;
  };
  const bool is_good = found->is_array()
                           ? !found->empty() && found->size() <= impus_max && std::ranges::all_of(*found, add)
                           : add(*found);
  if (!is_good) return std::nullopt;
  return impus;
}

// A claim that may be absent, or null, but not something else.
bool is_absent(const json& payload, const std::string& claim) {
  const auto found = payload.find(claim);
  return found == payload.end() || found->is_null();
}

}  // namespace

std::string_view to_string(IdentityProblem problem) {
  switch (problem) {
    case IdentityProblem::impi:
      return "impi";
    case IdentityProblem::impus:
      return "impus";
    case IdentityProblem::wwsf:
      return "wwsf";
    case IdentityProblem::pool:
      return "pool";
    case IdentityProblem::foreign_impi:
      return "foreign_impi";
  }
  return "";
}

std::expected<epcscf::TokenIdentity, IdentityProblem> read_identity(const json& payload,
                                                                    const IdentityRules& rules,
                                                                    std::string_view issuer,
                                                                    WallTime expires_at) {
  epcscf::TokenIdentity identity{.issuer = std::string{issuer}, .expires_at = expires_at};
  const std::string* impi = jose::find_text(payload, rules.impi_claim);
  if (impi == nullptr || !is_private_identity(*impi)) return std::unexpected(IdentityProblem::impi);
  identity.impi = *impi;
  if (!rules.impis.empty() && std::ranges::none_of(rules.impis, [&](const std::string& pattern) {
        return matches_glob(pattern, identity.impi);
      }))
    return std::unexpected(IdentityProblem::foreign_impi);
  auto impus = read_impus(payload, rules.impus_claim);
  if (!impus) return std::unexpected(IdentityProblem::impus);
  identity.impus = std::move(*impus);
  if (!is_absent(payload, rules.wwsf_claim)) {
    const std::string* wwsf = jose::find_text(payload, rules.wwsf_claim);
    if (wwsf == nullptr || !is_plain(*wwsf)) return std::unexpected(IdentityProblem::wwsf);
    identity.wwsf = *wwsf;
  }
  if (!is_absent(payload, rules.pool_claim)) {
    const json& pool = payload.at(rules.pool_claim);
    if (!pool.is_boolean()) return std::unexpected(IdentityProblem::pool);
    identity.is_pool_identity = pool.get<bool>();
  }
  // A token of another kind of issuer may have none, or one that is no text: then it cannot be revoked here.
  if (const std::string* id = jose::find_text(payload, "jti")) identity.token_id = *id;
  return identity;
}

}  // namespace turnpike::service
