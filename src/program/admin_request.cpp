#include "program/admin_request.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace turnpike::program {

using Json = nlohmann::ordered_json;

void add_policy_options(Command& command, PolicyOptions& options) {
  command.group("Limits that the credential carries")
      .number("--allocations-max", options.allocations_max, 0, UINT32_MAX,
              "at the same time; 0: the server's own")
      .number("--bytes-per-second", options.bytes_per_second, 0, std::uint64_t{1} << 40,
              "of each allocation; 0: the server's own")
      .texts("--allow-peer", options.allowed_peers,
             "an address or prefix; once for each. Without any, all that the server allows")
      .group("Options");
}

std::expected<credentials::Policy, std::string> read_policy(const PolicyOptions& options) {
  credentials::Policy policy;
  policy.allocations_max = static_cast<std::uint32_t>(options.allocations_max);
  policy.bytes_per_second = options.bytes_per_second;
  for (const std::string& peer : options.allowed_peers) {
    const auto prefix = IpPrefix::parse(peer);
    if (!prefix)
      return std::unexpected(fmt::format("--allow-peer: found \"{}\", allowed: an address or prefix", peer));
    policy.allowed_peers.push_back(*prefix);
  }
  return policy;
}

void add_policy(Json& request, const PolicyOptions& options) {
  if (options.allocations_max != 0) request["allocations_max"] = options.allocations_max;
  if (options.bytes_per_second != 0) request["bytes_per_second"] = options.bytes_per_second;
  if (!options.allowed_peers.empty()) request["allowed_peers"] = options.allowed_peers;
}

std::expected<Json, AskError> ask_server(const std::string& socket, const Json& request) {
  if (socket.empty())
    return std::unexpected(
        AskError{AskFailure::nobody_there, "there is no [admin] socket in the configuration"});
  const auto reply = ask_admin_socket(socket, request.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!reply) return std::unexpected(reply.error());
  Json answer = Json::parse(*reply, nullptr, false);
  if (!answer.is_object())
    return std::unexpected(AskError{AskFailure::no_answer, "the server's answer is no JSON object"});
  if (!flag_in(answer, "ok")) return std::unexpected(AskError{AskFailure::refused, text_in(answer, "error")});
  return answer;
}

std::string text_in(const Json& answer, const char* key) {
  const auto found = answer.find(key);
  return found != answer.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool flag_in(const Json& answer, const char* key) {
  const auto found = answer.find(key);
  return found != answer.end() && found->is_boolean() && found->get<bool>();
}

std::uint64_t number_in(const Json& answer, const char* key) {
  const auto found = answer.find(key);
  return found != answer.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace turnpike::program
