#pragma once
// Tokens of others: of a provider that logs our users in, shown for an exchange (RFC 8693), and assertions
// (RFC 7523). Their keys come and go, and are the shell's to fetch.

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "jose/token.hpp"
#include "waf/accounts.hpp"
#include "waf/form.hpp"
#include "waf/refusal.hpp"
#include "waf/reply.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

// What has to be fetched before the token of this request can be judged; to be asked before anything is used
// up. A stranger can make it ask: the shell fetches only so often.
std::optional<FetchNeeded> find_needed_keys(const Visit& visit);

// The keys of an issuer: those of the configuration, or as they were fetched last. Null: there are none.
const jose::KeySet* find_issuer_keys(const Visit& visit, std::string_view issuer);

// Whether a token claims to be of a provider whose tokens are exchanged.
const Provider* find_subject_issuer(const Settings& settings, std::string_view text,
                                    const jose::Limits& limits);

struct ForeignSubject {
  User user{};
  WallTime ends_at{};
};
// The user of a provider's token, as the last login there has made it, or as the first one would.
std::expected<ForeignSubject, Refusal> take_foreign_subject(Visit& visit, const Provider& provider,
                                                            std::string_view text);

}  // namespace turnpike::waf
