#pragma once
// turnpike client add|list|rotate|remove: who may ask the WAF for tokens.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "program/answer.hpp"
#include "program/options.hpp"
#include "program/waf_accounts.hpp"

namespace turnpike::program {

struct ClientAddOptions {
  std::string id{};
  std::string name{};           // shown to users
  std::string method = "none";  // of RFC 7591 section 2
  std::vector<std::string> redirect_uris{};
  std::vector<std::string> grants{};  // empty: those that go with the redirect URIs, or with the secret
  std::string scope = "ims turn";
  std::vector<std::string> audiences{};
  std::vector<std::string> introspects{};
  std::optional<std::string> wwsf{};
  std::optional<std::string> jwks_file{};
  std::optional<std::string> secret_to{};  // a file; unset: the secret is printed
  bool is_trusted = false;                 // its users are not asked
  bool requires_dpop = false;
  bool exchanges_for_others = false;
};
struct ClientRotateOptions {
  std::string id{};
  std::uint64_t overlap_seconds = 86400;  // for which the older secret stays good
  std::optional<std::string> secret_to{};
};

Answer add_client(WafAccounts& accounts, const ClientAddOptions& options, WallTime now);
Answer list_clients(WafAccounts& accounts, bool as_json);
Answer rotate_client(WafAccounts& accounts, const ClientRotateOptions& options, WallTime now);
Answer disable_client(WafAccounts& accounts, const std::string& id, WallTime now);
Answer enable_client(WafAccounts& accounts, const std::string& id, WallTime now);
Answer remove_client(WafAccounts& accounts, const std::string& id, WallTime now);

void add_client_command(Command root);

}  // namespace turnpike::program
