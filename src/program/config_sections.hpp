#pragma once
// The sections of the configuration, each read by one function. For config.cpp alone.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "program/config.hpp"
#include "program/table_reader.hpp"

namespace turnpike::program {

// Secrets stand in the configuration or in a file of their own, KEY or KEY_file; complaints never repeat
// them.
class SecretReader {
 public:
  explicit SecretReader(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Nothing, with a complaint, when there is none, two, or no file. Ends of lines at the end of a file do not
  // belong to its secret.
  std::optional<Secret> read(TableReader& table, std::string_view key, std::string_view allowed);
  // The same with base64 inside.
  std::optional<Secret> read_base64(TableReader& table, std::string_view key, std::string_view allowed);

  [[nodiscard]] bool found_inline() const { return found_inline_; }
  [[nodiscard]] const std::vector<Problem>& warnings() const { return warnings_; }

 private:
  std::optional<Secret> read_file(TableReader& table, std::string_view key, const Node& name);

  std::filesystem::path folder_;
  bool found_inline_ = false;
  std::vector<Problem> warnings_{};
};

// "uris" of a table: turn: and turns: URIs (RFC 7065), in the place of what `to` holds where there are some.
void read_turn_uris(TableReader& table, std::vector<std::string>& to);
void read_needed_turn_uris(TableReader& table, std::vector<std::string>& to);  // and complains of none

void read_turn_section(TableReader& turn, Config& config);
// realm, server_name and uris of [credentials]: where there is no [turn], they say for which relays
// credentials are made.
void read_relays_elsewhere(TableReader& credentials, Config& config);
// After [turn], whose realm and server name the credentials need.
void read_credentials_section(TableReader& credentials, Config& config, SecretReader& secrets,
                              std::vector<Problem>& problems);

// [[credentials.token.providers]]: from whom the keys of tokens are fetched, after the keys that stand here.
void read_key_providers(TableReader& token, const std::string& path,
                        const credentials::TokenSettings& settings, Config& config,
                        std::vector<Problem>& problems);
std::string format_key_providers(const Config& config);
// [epcscf] and [ims]: after the others, whose values stand in for what they leave out.
void read_control_plane(TableReader& root, Config& config, const std::filesystem::path& folder,
                        SecretReader& secrets, std::vector<Problem>& problems);
// [api], after [epcscf], whose tokens it takes.
void read_api(TableReader table, Config& config, const std::filesystem::path& folder, SecretReader& secrets,
              std::vector<Problem>& problems);
std::string format_api(const ApiConfig& api);
std::string describe_api(const ApiConfig& api);
// [waf], after [turn] and [credentials], whose relays its tokens are for.
void read_waf(TableReader table, Config& config, const std::filesystem::path& folder, SecretReader& secrets,
              std::vector<Problem>& problems);
// [waf.stun_keys] and [[waf.turn_servers]].
void read_waf_turn_keys(TableReader& waf_table, WafConfig& waf, const Config& config,
                        const std::filesystem::path& folder, std::vector<Problem>& problems);
std::string format_waf_turn_keys(const WafConfig& waf);
std::string format_waf(const Config& config);
std::string describe_waf(const Config& config);
// "sources" of an issuer: those of [credentials] unless they are named.
void read_issuer_sources(TableReader& table, std::vector<credentials::Source>& to,
                         const credentials::RegistrySettings& settings);
std::string format_epcscf(const EpcscfConfig& epcscf);
std::string format_ims(const ImsConfig& ims);
std::string describe_control_plane(const Config& config);
// [credentials.interface], the relay's end of docs/credential-interface.md.
void read_relay_interface(TableReader table, Config& config);
// [[relays]], the issuer's end.
void read_relays(TableReader& root, Config& config, std::vector<Problem>& problems);
std::string format_relay_interface(const Config& config);

// Sections that make no sense without one another; after all of them are read.
void check_roles(const Config& config, TableReader& root);
// [[waf.turn_servers]] that nobody tells of revoked tokens: warnings, as some are of other operators.
std::vector<Problem> find_untold_relays(const Config& config, TableReader& root);
// Listeners and TURN URIs with ports to which browsers do not go: warnings, as clients may be others.
std::vector<Problem> find_blocked_ports(TableReader& root);

// Others than its owner may read this file.
bool is_readable_by_others(const std::filesystem::path& file);
// The line of `key`, for a complaint about a value that was read well but does not fit; or that of its table.
int line_of(TableReader& table, std::string_view key);

void read_prefixes(TableReader& table, std::string_view key, std::vector<IpPrefix>& to);

}  // namespace turnpike::program
