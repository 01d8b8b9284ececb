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

bool take_header_param(Scanner& scanner, Param& param) {
  const char* start = scanner.position();
  param.name = scanner.take(char_token);
  if (param.name.empty()) return false;
  param.whole = param.name;
  param.value.reset();
  if (!scanner.accept_separator('=')) return true;
  param.value = scanner.sees('"') ? scanner.take_quoted() : std::optional{scanner.take(char_value)};
  param.whole = scanner.since(start);
  return param.value && !param.value->empty();
}

bool take_uri_param(Scanner& scanner, unsigned sets, Param& param) {
  const char* start = scanner.position();
  const auto name = take_escaped(scanner, sets);
  if (!name || name->empty()) return false;
  param.name = *name;
  param.value.reset();
  if (scanner.accept('=')) {
    param.value = take_escaped(scanner, sets);
    if (!param.value) return false;
  }
  param.whole = scanner.since(start);
  return true;
}

// Whether one was there, and well-formed.
bool take_param(Scanner& scanner, ParamStyle style, Param& param) {
  switch (style) {
    case ParamStyle::header:
    case ParamStyle::header_list:
      return take_header_param(scanner, param);
    case ParamStyle::uri:
      return take_uri_param(scanner, char_uri_param, param) && (!param.value || !param.value->empty());
    case ParamStyle::uri_headers:  // hname "=" hvalue, and the value may be empty
      return take_uri_param(scanner, char_uri_header, param) && param.value;
    case ParamStyle::auth:
      return take_header_param(scanner, param) && param.value;
  }
  return false;
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

char separator_of(ParamStyle style) {
  switch (style) {
    case ParamStyle::auth:
      return ',';
    case ParamStyle::uri_headers:
      return '&';
    default:
      return ';';
  }
}

// Steps over parameters that were checked when they were taken, without looking into them again: in such text
// a quote stands around a value alone, and a separator between parameters or within quotes.
class CheckedParams {
 public:
  CheckedParams(std::string_view text, ParamStyle style) : scanner_(text), separator_(separator_of(style)) {
    if (style == ParamStyle::header || style == ParamStyle::uri) skip();
  }

  [[nodiscard]] bool at_end() const { return scanner_.at_end(); }
  // At the beginning of a parameter: whether this may be its name.
  [[nodiscard]] bool sees_name(std::string_view name) const {
    const std::string_view rest = scanner_.rest();
    if (!equal_ignoring_case(rest.substr(0, name.size()), name)) return false;
    if (rest.size() == name.size()) return true;
    const char next = rest[name.size()];
    return next == '=' || next == separator_ || is_in(next, char_white);
  }
  // To the beginning of the next one.
  void skip() {
    while (!scanner_.at_end() && !scanner_.accept(separator_)) {
      if (!scanner_.sees('"') || !scanner_.take_quoted()) scanner_.skip(1);
    }
    scanner_.skip_white();
  }
  Scanner& scanner() { return scanner_; }

 private:
  Scanner scanner_;
  char separator_;
};

bool SeenNames::admits(std::string_view name, std::string_view list_so_far, ParamStyle style) {
  const auto mixed = name.size() * 11 + static_cast<unsigned char>(lower(name.front())) * 3U +
                     static_cast<unsigned char>(lower(name.back())) * 7U;
  const std::uint64_t kind = std::uint64_t{1} << (mixed % 64);
  const bool is_new = (kinds_ & kind) == 0;
  kinds_ |= kind;
  if (is_new) return true;
  Scanner before{list_so_far};
  Param param;
  for (std::size_t i = 0; accept_param_separator(before, style, i == 0); ++i)
    if (take_param(before, style, param) && param.is_named(name)) return false;
  return true;
}

}  // namespace

std::optional<Params> Params::take(Scanner& scanner, ParamStyle style, std::size_t max) {
  SeenNames seen;
  const char* start = scanner.position();
  std::string_view taken = scanner.since(start);
  Param param;
  for (std::size_t count = 0; accept_param_separator(scanner, style, count == 0); ++count) {
    if (count == max) return std::nullopt;
    if (!take_param(scanner, style, param) || !seen.admits(param.name, taken, style)) return std::nullopt;
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
  Param param;
  for (std::size_t i = 0; accept_param_separator(scanner, style_, i == 0); ++i)
    if (take_param(scanner, style_, param)) visit(param);
}

std::optional<Param> Params::find(std::string_view name) const {
  Param param;
  for (CheckedParams params{text_, style_}; !params.at_end(); params.skip())
    if (params.sees_name(name) && take_param(params.scanner(), style_, param) && param.is_named(name))
      return param;
  return std::nullopt;
}

std::optional<std::string_view> Params::value(std::string_view name) const {
  const auto param = find(name);
  return param ? param->value : std::nullopt;
}

}  // namespace turnpike::sip
