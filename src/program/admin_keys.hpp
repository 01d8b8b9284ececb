#pragma once
// What the administrator asks about keys of tokens that are fetched: at the relay, which fetches them, and at
// the WAF, whose commands change them in its database.

#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "program/control_plane.hpp"
#include "program/key_providers.hpp"

namespace turnpike::program {

// Nothing for another command; the error is a sentence. `providers` is null where keys are not fetched.
std::optional<std::expected<nlohmann::ordered_json, std::string>> answer_of_keys(
    KeyProviders* providers, ControlPlane& control_plane, std::string_view command,
    const nlohmann::ordered_json& request);

}  // namespace turnpike::program
