#pragma once
// The configuration of `turnpike serve` and of the commands beside it: typed, with defaults, checked as a
// whole before anything is opened. A section that is present is a role of the process: [turn], [epcscf],
// [ims], [api], [waf], in any combination. Every problem is told at once, each as one line: file, line, key,
// what was found and what is allowed. Unknown keys are problems. Relative paths start at the folder of the
// file.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/secret.hpp"
#include "credentials/registry.hpp"
#include "epcscf/settings.hpp"
#include "ims/settings.hpp"
#include "program/relay_interface.hpp"
#include "service/api_settings.hpp"
#include "service/door.hpp"
#include "service/key_provider.hpp"
#include "service/relay_fleet.hpp"
#include "service/sip_endpoint.hpp"
#include "service/token_settings.hpp"
#include "service/waf_node.hpp"
#include "store/waf_ledger.hpp"
#include "turn/settings.hpp"

namespace turnpike::program {

// [epcscf]: SIP over WebSocket on one side, the IMS core on the other.
struct EpcscfConfig {
  service::DoorSettings door{};
  std::vector<service::SipListener> core_listeners{};
  // Without its provisioning, which make_provisioning() adds.
  epcscf::Settings proxy{};
  std::string core{};                          // as written: a SIP URI
  std::vector<credentials::Source> sources{};  // the first is used, the others stand in for it in order
  std::vector<std::string> uris{};             // those of [turn] unless set
  provisioning::LifeLimits life{};
  std::optional<service::TokenSettings> tokens{};  // [epcscf.tokens]; who is trusted stands in proxy.bearer
  std::vector<std::string> origins{};              // as written; the door also lets in those of the WWSFs
  std::map<std::string, std::vector<std::string>> wwsf_origins{};  // by the name of the WWSF
};
// Of [api] and [waf].
struct HttpListener {
  SocketAddress address{};
  bool is_secure = true;
};
struct HttpDoor {
  std::vector<HttpListener> listeners{};
  bool allows_cleartext = false;
  std::string certificate{};
  std::string key{};
};
// [api]: the credential API.
struct ApiConfig {
  HttpDoor door{};
  std::string client_ca{};             // empty: no certificates of callers
  std::size_t connections_max = 1000;  // of each listener
  std::size_t connections_per_source_max = 100;
  service::ApiSettings desk{};  // without its provisioning
  std::vector<credentials::Source> sources{};
  std::vector<std::string> uris{};
  std::optional<service::TokenSettings> tokens{};  // of [api.tokens], or else of [epcscf.tokens]
  bool has_own_tokens = false;
  std::map<std::string, std::vector<std::string>> wwsf_origins{};  // of [api.tokens]
};
// [waf.stun_keys]: where TURN servers fetch their keys. The rules of their succession stand in
// WafConfig::node.
struct WafKeyConfig {
  SocketAddress listen{};
  std::string certificate{};  // those of [waf] unless set
  std::string key{};
  std::string client_ca{};
};
// [waf]: the authorization server.
struct WafConfig {
  HttpDoor door{};
  std::string database{};
  Secret secret{};                     // what machine and database are keyed with is derived from it
  service::WafNodeSettings node{};     // without listeners, key and TURN servers
  std::size_t connections_max = 1000;  // of each listener
  std::size_t connections_per_source_max = 100;
  store::WafLedgerLimits ledger{.audit_for = std::chrono::hours{24 * 366}};
  std::vector<std::string> turn_uris{};         // those of the relays unless set
  std::vector<std::string> turn_resources{};    // URIs that mean the TURN server too
  std::optional<WafKeyConfig> keys{};           // [waf.stun_keys]
  std::vector<waf::TurnTarget> turn_servers{};  // [[waf.turn_servers]], which fetch their keys
};
// [ims]: the embedded home core.
struct ImsConfig {
  std::vector<service::SipListener> listeners{};
  std::string database{};
  ims::Settings core{};
};

struct Config {
  std::string file;
  std::optional<turn::Settings> turn{};  // [turn]; listeners as written: wildcards are not yet expanded
  // Of the relays for which credentials are made; without [turn] these stand in [credentials].
  std::string server_name{};  // RFC 7635; the realm unless set
  unsigned shards = 0;        // 0: one per CPU that the process may use
  std::chrono::seconds nonce_lifetime{600};
  std::vector<std::string> uris{};  // what clients are told; of the listeners or of [[relays]] unless set
  credentials::RegistrySettings credentials{};
  std::string admin_socket{};  // empty: none
  Secret opaque_id_key{};      // of `turnpike issue`; made from the first secret unless set
  std::optional<EpcscfConfig> epcscf{};
  std::optional<ImsConfig> ims{};
  std::optional<ApiConfig> api{};
  std::optional<WafConfig> waf{};
  std::optional<RelayInterfaceSettings> relay_interface{};    // [credentials.interface]
  std::vector<service::RelaySettings> relays{};               // [[relays]]; regions in their order
  std::vector<service::KeyProviderSettings> key_providers{};  // [[credentials.token.providers]]
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
};

struct LoadedConfig {
  Config config;                        // good for nothing when there are problems
  std::vector<std::string> problems{};  // "turnpike.toml:7: turn.realm: found 5, allowed: ..."
  std::vector<std::string> warnings{};
};
LoadedConfig load_config(const std::string& file);
// `file` names the lines and the folder.
LoadedConfig parse_config(std::string_view text, const std::string& file);

// The whole configuration as it is in force, defaults included, in TOML. Secrets are masked.
std::string format_config(const Config& config);
// What would be served, in a few lines for a person.
std::string describe_config(const Config& config);

}  // namespace turnpike::program
