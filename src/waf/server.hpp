#pragma once
// The WAF: the authorization server of the WebRTC clients (TS 24.371), as a machine without I/O. The front
// door makes a Request of what has come in, and sends the Response; it tells relays and eP-CSCF what the
// ledger has revoked, has passwords checked by a worker, and calls KeyRing::rotate and Ledger::forget_ended
// at least every hour.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/function_ref.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "waf/authorization.hpp"
#include "waf/key_ring.hpp"
#include "waf/ledger.hpp"
#include "waf/message.hpp"
#include "waf/reply.hpp"
#include "waf/settings.hpp"

namespace turnpike::waf {

struct Outcome {
  Reply reply{};                         // the answer, or what has to be done before there is one
  bool has_revoked = false;              // something: Ledger::find_revoked() has what others are to be told
  std::optional<std::string> failure{};  // of the ledger, for the log; the answer is 503
};

class Server {
 public:
  // Ledger, keys and issuers outlive the server. The issuers are what the shell has fetched of the providers
  // and of those who sign assertions.
  Server(Settings settings, Ledger& ledger, const KeyRing& keys, const IssuerStates& issuers);

  [[nodiscard]] Outcome on_request(const Request& request, WallTime now, Random& random) const;
  // The same request again, once its password was checked.
  [[nodiscard]] Outcome on_password(const Request& request, const PasswordCheck& check, bool is_right,
                                    WallTime now, Random& random) const;
  // The same request again, after what it needed was fetched, or could not be.
  [[nodiscard]] Outcome on_fetched(const Request& request, WallTime now, Random& random) const;
  // What a provider has answered to the call that the request led to. `may_fetch`: the keys of the provider
  // may be too old; false after they were fetched, or could not be.
  [[nodiscard]] Outcome on_provider_answer(const Request& request, const ProviderCall& call,
                                           const ProviderAnswer& told, bool may_fetch, WallTime now,
                                           Random& random) const;

  // What the shell refuses by itself, in the form that this endpoint's callers read: a page, or JSON with
  // what lets scripts of the configured origins read it.
  [[nodiscard]] Response refuse(const Request& request, unsigned status, const Refusal& refusal) const;

  [[nodiscard]] const Settings& settings() const { return settings_; }

 private:
  struct Route;
  enum class Audience : std::uint8_t { people, programs };  // who reads the answer where there is none
  [[nodiscard]] const Route* find_route(std::string_view path) const;
  [[nodiscard]] Outcome decide(const Request& request, bool may_fetch, WallTime now, Random& random) const;
  [[nodiscard]] Visit make_visit(const Request& request, bool may_fetch, WallTime now, Random& random) const;
  [[nodiscard]] Outcome answer(const Request& request, Audience audience, bool may_fetch, WallTime now,
                               Random& random, FunctionRef<Reply(Visit&)> decide) const;
  [[nodiscard]] bool is_allowed_origin(std::string_view origin) const;
  void add_cors(const Request& request, const Route& route, Response& response) const;
  [[nodiscard]] Response answer_preflight(const Request& request, const Route& route) const;

  Settings settings_;
  Ledger& ledger_;
  const KeyRing& keys_;
  const IssuerStates& issuers_;
  std::string metadata_;
};

}  // namespace turnpike::waf
