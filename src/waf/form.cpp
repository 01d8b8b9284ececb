#include "waf/form.hpp"

#include <algorithm>

#include "base/percent.hpp"
#include "base/utf8.hpp"

namespace turnpike::waf {
namespace {

bool may_repeat(std::string_view name) { return name == "resource" || name == "audience"; }

bool is_clean(std::string_view text) {
  return is_utf8(text) && std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

std::string_view to_string(FormProblem problem) {
  switch (problem) {
    case FormProblem::too_large:
      return "the parameters are larger than is allowed";
    case FormProblem::too_many_parameters:
      return "there are more parameters than are allowed";
    case FormProblem::malformed:
      return "a parameter is not well-formed";
    case FormProblem::repeated:
      return "a parameter occurs more than once";
  }
  return "";
}

std::expected<Form, FormProblem> Form::parse(std::string_view text, const FormLimits& limits) {
  if (text.size() > limits.bytes_max) return std::unexpected(FormProblem::too_large);
  Form form;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    if (form.parameters_.size() == limits.parameters_max)
      return std::unexpected(FormProblem::too_many_parameters);
    const auto equals = pair.find('=');
    auto name = decode_percent(pair.substr(0, equals), true);
    auto value =
        decode_percent(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!name || !value || !is_clean(*name) || !is_clean(*value))
      return std::unexpected(FormProblem::malformed);
    const bool is_there =
        std::ranges::any_of(form.parameters_, [&](const auto& it) { return it.first == *name; });
    if (is_there && !may_repeat(*name)) return std::unexpected(FormProblem::repeated);
    form.parameters_.emplace_back(std::move(*name), std::move(*value));
  }
  return form;
}

std::string_view Form::find(std::string_view name) const {
  for (const auto& [parameter, value] : parameters_)
    if (parameter == name) return value;
  return {};
}

std::vector<std::string> Form::find_all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [parameter, value] : parameters_)
    if (parameter == name && !value.empty()) values.push_back(value);
  return values;
}

}  // namespace turnpike::waf
