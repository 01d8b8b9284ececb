#include "sip/params.hpp"

namespace turnpike::sip {
namespace {

// Whether a name stood in a list before. One bit for each of 64 kinds of name says at once that it did not;
// only where the bit is set the list is read again.
class SeenNames {
 public:
  bool admits(std::string_view name, std::string_view list_so_far, ParamStyle style);

 private:
  std::uint64_t kinds_ = 0;
};

std::optional<std::string_view> take_escaped(Scanner& scanner, unsigned sets) {
  const char* start = scanner.position();
  while (!scanner.at_end()) {
    if (!scanner.take(sets).empty()) continue;
    if (!scanner.sees('%')) break;
    if (!parse_hex_pair(scanner.rest().substr(1))) return std::nullopt;
    scanner.skip(3);
  }
  return scanner.since(start);
}

std::optional<Param> take_header_param(Scanner& scanner) {
  Param param;
  const char* start = scanner.position();
  param.name = scanner.take(char_token);
  if (param.name.empty()) return std::nullopt;
  param.whole = scanner.since(start);
  if (!scanner.accept_separator('=')) return param;
  param.value = scanner.sees('"') ? scanner.take_quoted() : std::optional{scanner.take(char_value)};
  if (!param.value || param.value->empty()) return std::nullopt;
  param.whole = scanner.since(start);
  return param;
}

std::optional<Param> take_uri_param(Scanner& scanner, unsigned sets) {
  Param param;
  const char* start = scanner.position();
  const auto name = take_escaped(scanner, sets);
  if (!name || name->empty()) return std::nullopt;
  param.name = *name;
  if (scanner.accept('=')) {
    param.value = take_escaped(scanner, sets);
    if (!param.value) return std::nullopt;
  }
  param.whole = scanner.since(start);
  return param;
}

std::optional<Param> take_param(Scanner& scanner, ParamStyle style) {
  switch (style) {
    case ParamStyle::header:
    case ParamStyle::header_list:
      return take_header_param(scanner);
    case ParamStyle::uri: {
      auto param = take_uri_param(scanner, char_uri_param);
      if (param && param->value && param->value->empty()) return std::nullopt;
      return param;
    }
    case ParamStyle::uri_headers: {  // hname "=" hvalue, and the value may be empty
      auto param = take_uri_param(scanner, char_uri_header);
      if (param && !param->value) return std::nullopt;
      return param;
    }
    case ParamStyle::auth: {
      auto param = take_header_param(scanner);
      if (param && !param->value) return std::nullopt;
      return param;
    }
  }
  return std::nullopt;
}

bool accept_param_separator(Scanner& scanner, ParamStyle style, bool is_first) {
  switch (style) {
    case ParamStyle::header:
      return scanner.accept_separator(';');
    case ParamStyle::header_list:
      return is_first ? !scanner.at_end() : scanner.accept_separator(';');
    case ParamStyle::uri:
      return scanner.accept(';');
    case ParamStyle::uri_headers:
      return is_first ? !scanner.at_end() : scanner.accept('&');
    case ParamStyle::auth:
      return is_first ? !scanner.at_end() : scanner.accept_separator(',');
  }
  return false;
}

bool SeenNames::admits(std::string_view name, std::string_view list_so_far, ParamStyle style) {
  const auto mixed = name.size() * 11 + static_cast<unsigned char>(lower(name.front())) * 3U +
                     static_cast<unsigned char>(lower(name.back())) * 7U;
  const std::uint64_t kind = std::uint64_t{1} << (mixed % 64);
  const bool is_new = (kinds_ & kind) == 0;
  kinds_ |= kind;
  if (is_new) return true;
  Scanner before{list_so_far};
  for (std::size_t i = 0; accept_param_separator(before, style, i == 0); ++i)
    if (take_param(before, style)->is_named(name)) return false;
  return true;
}

}  // namespace

std::optional<Params> Params::take(Scanner& scanner, ParamStyle style, std::size_t max) {
  SeenNames seen;
  const char* start = scanner.position();
  std::string_view taken = scanner.since(start);
  for (std::size_t count = 0; accept_param_separator(scanner, style, count == 0); ++count) {
    if (count == max) return std::nullopt;
    const auto param = take_param(scanner, style);
    if (!param || !seen.admits(param->name, taken, style)) return std::nullopt;
    taken = scanner.since(start);
  }
  return Params{taken, style};
}

std::optional<Params> Params::parse(std::string_view text, ParamStyle style, std::size_t max) {
  Scanner scanner{text};
  const auto params = take(scanner, style, max);
  if (!params) return std::nullopt;
  scanner.skip_white();
  return scanner.at_end() ? params : std::nullopt;
}

void Params::for_each(FunctionRef<void(const Param&)> visit) const {
  Scanner scanner{text_};
  for (std::size_t i = 0; accept_param_separator(scanner, style_, i == 0); ++i)
    visit(*take_param(scanner, style_));
}

std::optional<Param> Params::find(std::string_view name) const {
  Scanner scanner{text_};
  for (std::size_t i = 0; accept_param_separator(scanner, style_, i == 0); ++i) {
    auto param = take_param(scanner, style_);
    if (param->is_named(name)) return param;
  }
  return std::nullopt;
}

std::optional<std::string_view> Params::value(std::string_view name) const {
  const auto param = find(name);
  return param ? param->value : std::nullopt;
}

}  // namespace turnpike::sip
