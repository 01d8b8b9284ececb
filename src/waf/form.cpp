#include "waf/form.hpp"

#include <algorithm>
#include <optional>

#include "base/percent.hpp"
#include "base/utf8.hpp"

namespace turnpike::waf {
namespace {

bool may_repeat(std::string_view name) { return name == "resource" || name == "audience"; }

std::optional<std::string> decode(std::string_view text) {
  auto decoded = decode_percent(text, true);
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (!decoded || !is_utf8(*decoded) || std::ranges::any_of(*decoded, is_control)) return std::nullopt;
  return decoded;
}

struct Pair {
  std::string_view text{};                     // as it was sent
  std::optional<std::string> name{}, value{};  // absent: not well-formed
};

// Takes the first one off the text.
std::optional<Pair> take_pair(std::string_view& text) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    return Pair{pair, decode(pair.substr(0, equals)), decode(pair.substr(std::min(equals + 1, pair.size())))};
  }
  return std::nullopt;
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
  while (auto pair = take_pair(text)) {
    auto& [sent, name, value] = *pair;
    if (form.parameters_.size() == limits.parameters_max)
      return std::unexpected(FormProblem::too_many_parameters);
    if (!name || !value) return std::unexpected(FormProblem::malformed);
    const bool is_there =
        std::ranges::any_of(form.parameters_, [&](const auto& it) { return it.first == *name; });
    if (is_there && !may_repeat(*name)) return std::unexpected(FormProblem::repeated);
    form.parameters_.emplace_back(std::move(*name), std::move(*value));
  }
  return form;
}

std::expected<std::string, FormProblem> Form::read_one(std::string_view text, std::string_view name) {
  std::optional<std::string> found;
  while (auto pair = take_pair(text)) {
    if (pair->name != name) continue;
    if (found) return std::unexpected(FormProblem::repeated);
    if (!pair->value) return std::unexpected(FormProblem::malformed);
    found = std::move(pair->value);
  }
  return std::move(found).value_or("");
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

std::string drop_parameters(std::string_view text,
                            FunctionRef<bool(std::string_view name, std::string_view value)> is_dropped) {
  std::string kept;
  while (const auto pair = take_pair(text)) {
    if (pair->name && pair->value && is_dropped(*pair->name, *pair->value)) continue;
    if (!kept.empty()) kept += '&';
    kept += pair->text;
  }
  return kept;
}

}  // namespace turnpike::waf
