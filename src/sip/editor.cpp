#include "sip/editor.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.hpp"
#include "sip/text.hpp"
#include "sip/writer.hpp"

namespace turnpike::sip {
namespace {

constexpr std::size_t edits_hint = 16;
constexpr std::size_t added_hint = 512;
constexpr std::string_view max_forwards_default = "70";

}  // namespace

Editor::Editor(const Message& message) : message_(&message) {
  edits_.reserve(edits_hint);
  added_.reserve(added_hint);
  spell_version();
}

// RFC 3261 section 7.1: read in any case, sent in upper case.
void Editor::spell_version() {
  constexpr std::string_view version = "SIP/2.0", line_end = "\r\n";
  const std::string_view line = message_->start_line();
  const std::size_t at = message_->is_request() ? line.size() - line_end.size() - version.size() : 0;
  const std::string_view found = line.substr(at, version.size());
  if (found == version || !equal_ignoring_case(found, version)) return;
  const std::size_t text_begin = added_.size();
  added_ += version;
  splice(at, at + version.size(), text_begin);
}

Editor& Editor::set_request_uri(std::string_view uri) {
  const std::size_t text_begin = added_.size();
  append_clean(added_, uri);
  const std::size_t begin = begin_of(message_->request_uri_text());
  splice(begin, begin + message_->request_uri_text().size(), text_begin);
  return *this;
}

Editor& Editor::prepend(HeaderName name, std::string_view value) {
  const auto header = message_->find(name);
  insert_row(header ? begin_of(header->row) : message_->start_line().size(), true, to_string(name), value);
  return *this;
}

Editor& Editor::append(HeaderName name, std::string_view value) {
  std::optional<std::size_t> last;
  for (auto row = message_->find_row(name); row; row = message_->find_row(name, *row + 1)) last = row;
  append_row(last, to_string(name), value);
  return *this;
}

Editor& Editor::append(std::string_view name, std::string_view value) {
  const HeaderName known = find_header_name(name);
  if (known != HeaderName::other) return append(known, value);
  std::optional<std::size_t> last;
  for (std::size_t row = 0; row < message_->header_count(); ++row)
    if (message_->header_name(row) == known && message_->header(row).is_named(name)) last = row;
  append_row(last, name, value);
  return *this;
}

void Editor::append_row(std::optional<std::size_t> behind, std::string_view name, std::string_view value) {
  const std::size_t at = behind
                             ? begin_of(message_->header(*behind).row) + message_->header(*behind).row.size()
                             : message_->headers_end();
  insert_row(at, false, name, value);
}

Editor& Editor::remove(HeaderName name) {
  for (auto row = message_->find_row(name); row; row = message_->find_row(name, *row + 1))
    cut(message_->header(*row).row);
  return *this;
}

Editor& Editor::remove(std::string_view name) {
  const HeaderName known = find_header_name(name);
  if (known != HeaderName::other) return remove(known);
  for (std::size_t row = 0; row < message_->header_count(); ++row)
    if (message_->header_name(row) == known && message_->header(row).is_named(name))
      cut(message_->header(row).row);
  return *this;
}

Editor& Editor::replace(HeaderName name, std::string_view value) {
  const auto header = message_->find(name);
  if (!header) return append(name, value);
  insert_row(begin_of(header->row), false, to_string(name), value);
  return remove(name);
}

Editor& Editor::remove_values(HeaderName name, FunctionRef<bool(std::string_view)> is_unwanted) {
  for (auto row = message_->find_row(name); row; row = message_->find_row(name, *row + 1))
    thin_row(message_->header(*row), is_unwanted);
  return *this;
}

Editor& Editor::remove_first_value(HeaderName name) {
  if (const auto header = message_->find(name))
    thin_row(*header, [is_first = true](std::string_view) mutable { return std::exchange(is_first, false); });
  return *this;
}

// A member goes with the comma on one side, so that the members that stay have one comma between them.
void Editor::thin_row(const Header& row, FunctionRef<bool(std::string_view)> is_unwanted) {
  const char* kept_end = nullptr;      // of the last member that stays
  const char* unwanted_end = nullptr;  // of the last one that goes, while none behind it stays
  std::string_view list = row.value;
  while (const auto member = take_list_member(list)) {
    if (is_unwanted(*member)) {
      unwanted_end = member->data() + member->size();
      continue;
    }
    if (unwanted_end != nullptr && kept_end == nullptr)
      cut(begin_of(row.value), begin_of(*member));
    else if (unwanted_end != nullptr)
      cut(offset_of(kept_end), offset_of(unwanted_end));
    unwanted_end = nullptr;
    kept_end = member->data() + member->size();
  }
  if (unwanted_end == nullptr) return;
  if (kept_end == nullptr)
    cut(row.row);
  else
    cut(offset_of(kept_end), end_of(row.value));
}

// With separators before each parameter one goes with its own; with separators between them as members of
// lists do.
Editor& Editor::remove_params(const Params& params, std::initializer_list<std::string_view> names) {
  const bool has_leading_separator =
      params.style() == ParamStyle::header || params.style() == ParamStyle::uri;
  const char* const begin = params.text().data();
  const char* kept_end = has_leading_separator ? begin : nullptr;
  const char* unwanted_end = nullptr;
  params.for_each([&](const Param& param) {
    if (std::any_of(names.begin(), names.end(), [&](auto name) { return param.is_named(name); })) {
      unwanted_end = param.whole.data() + param.whole.size();
      return;
    }
    if (unwanted_end != nullptr && kept_end == nullptr)
      cut(offset_of(begin), begin_of(param.whole));
    else if (unwanted_end != nullptr)
      cut(offset_of(kept_end), offset_of(unwanted_end));
    unwanted_end = nullptr;
    kept_end = param.whole.data() + param.whole.size();
  });
  if (unwanted_end != nullptr)
    cut(offset_of(kept_end != nullptr ? kept_end : begin), offset_of(unwanted_end));
  return *this;
}

Editor& Editor::add_param(const Params& params, std::string_view param) {
  const bool is_between = params.style() == ParamStyle::auth || params.style() == ParamStyle::uri_headers ||
                          params.style() == ParamStyle::header_list;
  const std::size_t begin = added_.size();
  if (params.style() == ParamStyle::auth)
    added_ += ", ";
  else if (params.style() == ParamStyle::uri_headers)
    added_ += '&';
  else
    added_ += ';';
  // Where all the others are removed in the same breath, the list would begin with a separator.
  check(!is_between || !params.empty(), "a list with separators between needs a first parameter");
  append_clean(added_, param);
  const std::size_t end = end_of(params.text());
  splice(end, end, begin);
  return *this;
}

Editor& Editor::set_param(const Params& params, std::string_view name, std::string_view value) {
  const auto found = params.find(name);
  std::string param{name};
  param += '=';
  param += value;
  if (!found) return add_param(params, param);
  const std::size_t text_begin = added_.size();
  append_clean(added_, param);
  const std::size_t begin = begin_of(found->whole);
  splice(begin, begin + found->whole.size(), text_begin);
  return *this;
}

Editor& Editor::set_body(std::string_view content_type, std::string_view body) {
  remove(HeaderName::content_length);
  remove(HeaderName::content_type);
  if (!body.empty())
    insert_row(message_->headers_end(), false, to_string(HeaderName::content_type), content_type);
  insert_row(message_->headers_end(), false, to_string(HeaderName::content_length),
             std::to_string(body.size()));
  const std::size_t text_begin = added_.size();
  added_ += body;
  splice(begin_of(message_->after_headers()), message_->text().size(), text_begin);
  return *this;
}

Editor& Editor::stamp_via(const Via& top, const SocketAddress& source) {
  const auto rport = top.params.find("rport");
  const std::string address = source.ip.to_string();
  const std::string_view host =
      top.host.starts_with('[') ? top.host.substr(1, top.host.size() - 2) : top.host;
  const auto named = IpAddress::parse(host);
  // RFC 3581 section 4: received goes with rport even where the addresses are the same.
  if (!named || *named != source.ip || rport) set_param(top.params, "received", address);
  if (rport) set_param(top.params, "rport", std::to_string(source.port));
  return *this;
}

Parsed<void> Editor::decrement_max_forwards() {
  const auto hops = max_forwards(*message_);
  if (!hops && hops.error().defect != Defect::missing) return std::unexpected(hops.error());
  if (!hops) {
    append(HeaderName::max_forwards, max_forwards_default);
    return {};
  }
  if (*hops == 0) return std::unexpected(ParseError{Defect::too_many_hops});
  const std::string_view digits = message_->find(HeaderName::max_forwards)->value;
  const std::size_t text_begin = added_.size();
  added_ += std::to_string(*hops - 1);
  const std::size_t begin = begin_of(digits);
  splice(begin, begin + digits.size(), text_begin);
  return {};
}

// --- splices
// ------------------------------------------------------------------------------------------------

std::size_t Editor::offset_of(const char* position) const {
  const std::string_view text = message_->text();
  check(position >= text.data() && position <= text.data() + text.size(), "an edit outside of its message");
  return static_cast<std::size_t>(position - text.data());
}

std::size_t Editor::begin_of(std::string_view part) const { return offset_of(std::to_address(part.begin())); }
std::size_t Editor::end_of(std::string_view part) const { return offset_of(std::to_address(part.end())); }

void Editor::cut(std::size_t begin, std::size_t end) { splice(begin, end, added_.size()); }

void Editor::cut(std::string_view part) {
  const std::size_t begin = begin_of(part);
  cut(begin, begin + part.size());
}

void Editor::insert_row(std::size_t at, bool in_front, std::string_view name, std::string_view value) {
  const std::size_t text_begin = added_.size();
  append_header(added_, name, value);
  splice(at, at, text_begin);
  edits_.back().is_row = true;
  if (in_front) edits_.back().order = -edits_.back().order;
}

void Editor::splice(std::size_t begin, std::size_t end, std::size_t text_begin) {
  edits_.push_back({.begin = static_cast<std::uint32_t>(begin),
                    .end = static_cast<std::uint32_t>(end),
                    .order = ++last_order_,
                    .text_begin = static_cast<std::uint32_t>(text_begin),
                    .text_size = static_cast<std::uint32_t>(added_.size() - text_begin)});
}

std::string Editor::text() const {
  std::vector<Edit> edits = edits_;
  // What is added at a place stands before what is removed from there on, and the longest removal counts.
  std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    const bool a_adds = a.begin == a.end;
    const bool b_adds = b.begin == b.end;
    if (a_adds != b_adds) return a_adds;
    if (a.end != b.end) return a.end > b.end;
    return a.order < b.order;
  });
  // RFC 3261 section 18.3: what lies behind the body is not forwarded.
  const auto body = message_->body();
  const std::size_t end =
      message_->text().size() - (body ? message_->after_headers().size() - body->size() : 0);
  const std::string_view source = message_->text().substr(0, end);
  const std::string_view added = added_;
  std::string result;
  result.reserve(source.size() + added.size());
  std::size_t at = 0;
  for (const Edit& edit : edits) {
    const bool is_removed = edit.begin < at;
    if (edit.begin > at) result += source.substr(at, edit.begin - at);
    at = std::max<std::size_t>(at, std::max(edit.begin, edit.end));
    if (!is_removed || edit.is_row) result += added.substr(edit.text_begin, edit.text_size);
  }
  if (at < source.size()) result += source.substr(at);
  return result;
}

}  // namespace turnpike::sip
