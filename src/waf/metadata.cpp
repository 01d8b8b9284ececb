#include "waf/metadata.hpp"

#include <nlohmann/json.hpp>

#include "waf/accounts.hpp"
#include "waf/endpoints.hpp"

namespace turnpike::waf {

std::string format_metadata(const Settings& settings) {
  using Json = nlohmann::ordered_json;
  const auto url = [&](std::string_view path) { return settings.issuer + std::string{path}; };
  const Json algorithms{"RS256", "PS256", "ES256"};
  const Json methods{"client_secret_basic", "client_secret_post", "private_key_jwt"};
  Json all_methods = methods;
  all_methods.push_back("none");
  Json document;
  document["issuer"] = settings.issuer;
  document["authorization_endpoint"] = url(endpoint::authorization);
  document["token_endpoint"] = url(endpoint::token);
  document["introspection_endpoint"] = url(endpoint::introspection);
  document["revocation_endpoint"] = url(endpoint::revocation);
  document["jwks_uri"] = url(endpoint::jwks);
  document["scopes_supported"] = Json::array();
  for (const auto& [scope, description] : settings.scopes) document["scopes_supported"].push_back(scope);
  document["response_types_supported"] = Json::array({"code"});
  document["response_modes_supported"] = Json::array({"query"});
  document["grant_types_supported"] = Json::array();
  for (const GrantType type :
       {GrantType::authorization_code, GrantType::refresh_token, GrantType::client_credentials,
        GrantType::token_exchange, GrantType::jwt_bearer})
    document["grant_types_supported"].push_back(to_string(type));
  document["code_challenge_methods_supported"] = Json::array({"S256"});
  document["prompt_values_supported"] = Json::array({"none", "login", "consent"});
  document["token_endpoint_auth_methods_supported"] = all_methods;
  document["token_endpoint_auth_signing_alg_values_supported"] = algorithms;
  document["introspection_endpoint_auth_methods_supported"] = methods;
  document["introspection_endpoint_auth_signing_alg_values_supported"] = algorithms;
  document["revocation_endpoint_auth_methods_supported"] = all_methods;
  document["revocation_endpoint_auth_signing_alg_values_supported"] = algorithms;
  document["dpop_signing_alg_values_supported"] = algorithms;
  document["authorization_response_iss_parameter_supported"] = true;
  document["request_parameter_supported"] = false;
  document["request_uri_parameter_supported"] = false;
  document["subject_types_supported"] = Json::array({"public"});
  document["id_token_signing_alg_values_supported"] = Json::array({jose::to_string(settings.keys.algorithm)});
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace turnpike::waf
