#pragma once
// Parameters of OAuth as queries and bodies carry them (application/x-www-form-urlencoded), read strictly: a
// parameter that occurs twice is an error (RFC 6749 sections 3.1, 3.2), as two readers would see two
// requests.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/function_ref.hpp"

namespace turnpike::waf {

struct FormLimits {
  std::size_t bytes_max = 16384;
  std::size_t parameters_max = 64;
};

enum class FormProblem : std::uint8_t {
  too_large,
  too_many_parameters,
  malformed,  // an escape that is none, text that is not UTF-8, a control character
  repeated,
};
std::string_view to_string(FormProblem problem);  // a sentence for error_description

class Form {
 public:
  static std::expected<Form, FormProblem> parse(std::string_view text, const FormLimits& limits);
  // One parameter, judged apart from the others: its value, or "" where it is absent.
  static std::expected<std::string, FormProblem> read_one(std::string_view text, std::string_view name);

  // The value, or "" where the parameter is absent: RFC 6749 section 3.2, an empty one counts as omitted.
  [[nodiscard]] std::string_view find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return !find(name).empty(); }
  // Of "resource" and "audience", which may occur several times (RFC 8707 section 2, RFC 8693 section 2.1).
  [[nodiscard]] std::vector<std::string> find_all(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_{};
};

// The text without the parameters of which that holds: name and value are decoded, as one spelling is as good
// as another.
std::string drop_parameters(std::string_view text,
                            FunctionRef<bool(std::string_view name, std::string_view value)> is_dropped);

}  // namespace turnpike::waf
