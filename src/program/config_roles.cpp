// Which sections make sense together: a process is a relay, an eP-CSCF, a home core, or several of them.
#include <fmt/format.h>

#include <algorithm>

#include "program/config_sections.hpp"

namespace turnpike::program {
namespace {

// Complains about a table, "credentials.static", that is there.
void refuse_table(TableReader& root, std::string_view section, std::string_view key, std::string_view why) {
  const Node* table = root.find(section);
  if (table != nullptr && !key.empty()) table = table->find(key);
  if (table == nullptr) return;
  const std::string path = key.empty() ? std::string{section} : std::string{section} + '.' + std::string{key};
  root.complain(path, table->line, std::string{why});
}

void check_relay_alone(TableReader& root) {
  refuse_table(root, "credentials", "static",
               "found without [turn], allowed: beside it alone, as its users log in at the relay of this "
               "process");
  refuse_table(root, "credentials", "interface",
               "found without [turn], allowed: beside it alone, as it is how issuers reach the relay of this "
               "process");
}

// Pushed credentials come in by the administrator's socket, from the eP-CSCF or the API of the same
// process, or from issuers; or they go out to other relays.
void check_pushed(const Config& config, TableReader& root) {
  if (!config.credentials.pushed) return;
  if (!config.turn && config.relays.empty())
    return refuse_table(root, "credentials", "pushed",
                        "found without [turn] and [[relays]], allowed: beside one of them, as a relay has to "
                        "be told of these credentials");
  if (!config.turn || !config.admin_socket.empty() || config.epcscf || config.api || config.relay_interface)
    return;
  const Node* pushed = root.find("credentials")->find("pushed");
  root.complain("admin.socket", pushed->line,
                "missing, allowed: the path of a socket, as credentials are pushed over it");
}

// An issuer without [turn] has to be told what the relays elsewhere are.
void check_handing_out(const Config& config, TableReader& root, std::string_view section,
                       const std::vector<credentials::Source>& sources,
                       const std::vector<std::string>& uris) {
  const int line = root.find(section)->line;
  if (sources.empty()) {
    const Node* handed_out = root.find(section)->find("credentials");
    if (handed_out == nullptr || handed_out->find("sources") == nullptr)
      root.complain(
          "credentials", line,
          fmt::format("missing, allowed: at least one of [credentials.computed], [credentials.pushed] and "
                      "[credentials.token], or [{}.credentials] sources = [] where nothing is handed out",
                      section));
    return;
  }
  if (config.credentials.realm.empty())
    root.complain("credentials.realm", line,
                  "missing, allowed: the realm of the relays for which credentials are made, as there is no "
                  "[turn]");
  if (uris.empty())
    root.complain(
        "credentials.uris", line,
        "missing, allowed: a list of \"turn:HOST:PORT?transport=udp\", or [[relays]], as there is no "
        "[turn]");
}

}  // namespace

void check_roles(const Config& config, TableReader& root) {
  const bool has_issuer = config.epcscf || config.api || config.waf;
  if (!config.turn && !has_issuer && !config.ims)
    return root.missing("turn",
                        "at least one of [turn], [epcscf], [ims], [api] and [waf], which say what is served");
  if (!has_issuer)
    refuse_table(root, "relays", "",
                 "found without [epcscf], [api] and [waf], allowed: beside one of them, as they tell relays");
  if (!config.turn && !has_issuer)
    return refuse_table(
        root, "credentials", "",
        "found beside [ims] alone, allowed: with [turn], [epcscf], [api] or [waf], as a home core "
        "has no use for them");
  if (!config.turn) {
    check_relay_alone(root);
    if (config.epcscf) check_handing_out(config, root, "epcscf", config.epcscf->sources, config.epcscf->uris);
    if (config.api) check_handing_out(config, root, "api", config.api->sources, config.api->uris);
    if (config.waf && config.credentials.token && !config.credentials.token->keys.empty())
      check_handing_out(config, root, "waf", {credentials::Source::token}, config.waf->turn_uris);
  }
  check_pushed(config, root);
}

std::vector<Problem> find_untold_relays(const Config& config, TableReader& root) {
  std::vector<Problem> warnings;
  if (!config.waf || config.waf->turn_servers.empty()) return warnings;
  const auto& entries = root.find("waf")->find("turn_servers")->items;
  for (std::size_t at = 0; at < config.waf->turn_servers.size(); ++at) {
    const waf::TurnTarget& target = config.waf->turn_servers[at];
    const bool is_here = config.turn && config.server_name == target.token.server_name;
    const bool is_told = std::ranges::any_of(config.relays, [&](const service::RelaySettings& relay) {
      return std::ranges::find_first_of(relay.uris, target.uris) != relay.uris.end();
    });
    if (!is_here && !is_told)
      warnings.push_back(
          {entries[at].line, fmt::format("waf.turn_servers[{}]", at),
           fmt::format("{} takes revoked tokens until they end, as no [[relays]] with one of its "
                       "uris says how it is told of them",
                       target.token.server_name)});
  }
  return warnings;
}

}  // namespace turnpike::program
