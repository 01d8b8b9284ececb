#pragma once
// The JSON of the credential API (docs/credential-api.md).

#include <expected>
#include <map>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "provisioning/provision.hpp"
#include "service/api_request.hpp"

namespace turnpike::service {

// One line of JSON; contains secrets.
std::string format_api_answer(const provisioning::Provision& provision, ApiFormat format, WallTime wall);

// RFC 9457, with "error" as the word for programs.
std::string format_api_problem(unsigned status, std::string_view error, std::string_view title,
                               std::string_view detail);

// How many of a user's subjects were taken back, and whether every relay that lives has obeyed.
std::string format_api_withdrawal(std::size_t withdrawn, bool is_confirmed);

// The texts and numbers of a flat JSON object, as texts; others are passed over. Nothing where it is none.
std::optional<std::map<std::string, std::string>> parse_api_body(std::string_view json);

}  // namespace turnpike::service
