#include "client/html_form.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace turnpike::client {
namespace {

constexpr std::string_view spaces = " \t\r\n\f";
constexpr std::array<std::pair<std::string_view, char>, 6> entities{
    {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", ' '}}};

std::string lower(std::string_view text) {
  std::string lowered{text};
  for (char& c : lowered)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lowered;
}

void add_code_point(std::string& to, std::uint32_t point) {
  if (point < 0x80) {
    to += static_cast<char>(point);
  } else if (point < 0x800) {
    to += static_cast<char>(0xc0 | (point >> 6));
    to += static_cast<char>(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    to += static_cast<char>(0xe0 | (point >> 12));
    to += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
    to += static_cast<char>(0x80 | (point & 0x3f));
  } else {
    to += static_cast<char>(0xf0 | (point >> 18));
    to += static_cast<char>(0x80 | ((point >> 12) & 0x3f));
    to += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
    to += static_cast<char>(0x80 | (point & 0x3f));
  }
}

// "&amp;", "&#39;", "&#x27;": whether it was one, with its name between "&" and ";".
bool add_entity(std::string& to, std::string_view name) {
  for (const auto& [word, character] : entities)
    if (name == word) {
      to += character;
      return true;
    }
  if (!name.starts_with('#')) return false;
  name.remove_prefix(1);
  const int base = name.starts_with('x') || name.starts_with('X') ? 16 : 10;
  if (base == 16) name.remove_prefix(1);
  std::uint32_t point = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), point, base);
  const bool is_surrogate = point >= 0xd800 && point < 0xe000;
  if (error != std::errc{} || end != name.data() + name.size() || point == 0 || point > 0x10ffff ||
      is_surrogate)
    return false;
  add_code_point(to, point);
  return true;
}

std::string unescape(std::string_view text) {
  constexpr std::size_t entity_bytes_max = 10;
  std::string plain;
  while (!text.empty()) {
    const auto ampersand = std::min(text.find('&'), text.size());
    plain += text.substr(0, ampersand);
    text.remove_prefix(ampersand);
    if (text.empty()) break;
    const auto semicolon = text.substr(0, entity_bytes_max).find(';');
    if (semicolon != std::string_view::npos && add_entity(plain, text.substr(1, semicolon - 1))) {
      text.remove_prefix(semicolon + 1);
    } else {
      plain += '&';
      text.remove_prefix(1);
    }
  }
  return plain;
}

struct Tag {
  std::string name{};  // in lower case; "/form" ends one
  std::vector<std::pair<std::string, std::string>> attributes{};
  [[nodiscard]] const std::string* find(std::string_view attribute) const {
    for (const auto& [name_of, value] : attributes)
      if (name_of == attribute) return &value;
    return nullptr;
  }
  [[nodiscard]] std::string text(std::string_view attribute) const {
    const std::string* found = find(attribute);
    return found == nullptr ? std::string{} : *found;
  }
};

class Reader {
 public:
  Reader(std::string_view html, const HtmlLimits& limits) : rest_(html), limits_(limits) {}
  HtmlPage read();

 private:
  void skip_spaces() { rest_.remove_prefix(std::min(rest_.find_first_not_of(spaces), rest_.size())); }
  std::string_view take_until(std::string_view stops);
  std::optional<Tag> next_tag();
  bool read_attribute(Tag& tag);
  void skip_raw(std::string_view name);
  void on_tag(const Tag& tag);
  void on_field(const Tag& tag);
  void on_button(const Tag& tag);
  void read_alert();

  std::string_view rest_;
  const HtmlLimits& limits_;
  HtmlPage page_;
  bool is_in_form_ = false;
};

std::string_view Reader::take_until(std::string_view stops) {
  const auto end = std::min(rest_.find_first_of(stops), rest_.size());
  const std::string_view taken = rest_.substr(0, end);
  rest_.remove_prefix(end);
  return taken;
}

// One attribute of the tag that is being read; false where the tag has ended.
bool Reader::read_attribute(Tag& tag) {
  skip_spaces();
  while (rest_.starts_with('/')) {
    rest_.remove_prefix(1);
    skip_spaces();
  }
  if (rest_.empty()) return false;
  if (rest_.starts_with('>')) {
    rest_.remove_prefix(1);
    return false;
  }
  std::string name = lower(take_until("=/> \t\r\n\f"));
  skip_spaces();
  std::string_view value;
  if (rest_.starts_with('=')) {
    rest_.remove_prefix(1);
    skip_spaces();
    if (rest_.starts_with('"') || rest_.starts_with('\'')) {
      const char quote = rest_.front();
      rest_.remove_prefix(1);
      value = take_until({&quote, 1});
      rest_.remove_prefix(std::min<std::size_t>(1, rest_.size()));
    } else {
      value = take_until("> \t\r\n\f");
    }
  }
  if (name.empty()) return !rest_.empty();
  // The first one of a name counts, as in browsers.
  if (tag.find(name) == nullptr && value.size() <= limits_.value_bytes_max && tag.attributes.size() < 64)
    tag.attributes.emplace_back(std::move(name), unescape(value));
  return true;
}

std::optional<Tag> Reader::next_tag() {
  for (;;) {
    take_until("<");
    if (rest_.empty()) return std::nullopt;
    if (rest_.starts_with("<!--")) {
      const auto end = rest_.find("-->", 4);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 3);
      continue;
    }
    rest_.remove_prefix(1);
    Tag tag;
    if (rest_.starts_with('/')) {
      tag.name = "/";
      rest_.remove_prefix(1);
    }
    tag.name += lower(take_until("/> \t\r\n\f"));
    while (read_attribute(tag)) {
    }
    return tag;
  }
}

// What looks like a tag inside of these is none.
void Reader::skip_raw(std::string_view name) {
  const std::string end = "</" + std::string{name};
  while (!rest_.empty()) {
    take_until("<");
    if (lower(rest_.substr(0, end.size())) == end) return;
    rest_.remove_prefix(std::min<std::size_t>(1, rest_.size()));
  }
}

void Reader::read_alert() {
  std::string_view text = rest_.substr(0, rest_.find('<'));
  text.remove_prefix(std::min(text.find_first_not_of(spaces), text.size()));
  page_.alert = unescape(text).substr(0, limits_.alert_bytes_max);
  // It is shown in a terminal.
  std::ranges::replace_if(page_.alert, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
}

void Reader::on_field(const Tag& tag) {
  auto& fields = page_.forms.back().fields;
  if (fields.size() >= limits_.fields_max) return;
  HtmlField field{
      .name = tag.text("name"), .value = tag.text("value"), .is_checked = tag.find("checked") != nullptr};
  if (const std::string* type = tag.find("type")) field.type = lower(*type);
  fields.push_back(std::move(field));
}

void Reader::on_button(const Tag& tag) {
  const std::string type = lower(tag.text("type"));
  if (type == "button" || type == "reset") return;
  auto& fields = page_.forms.back().fields;
  if (fields.size() < limits_.fields_max)
    fields.push_back({.type = "submit", .name = tag.text("name"), .value = tag.text("value")});
}

void Reader::on_tag(const Tag& tag) {
  if (tag.name == "script" || tag.name == "style" || tag.name == "textarea" || tag.name == "title")
    return skip_raw(tag.name);
  if (page_.alert.empty() && tag.text("role") == "alert") read_alert();
  if (tag.name == "/form") {
    is_in_form_ = false;
  } else if (tag.name == "form" && !is_in_form_ && page_.forms.size() < limits_.forms_max) {
    is_in_form_ = true;
    page_.forms.push_back({.action = tag.text("action"), .is_post = lower(tag.text("method")) == "post"});
  } else if (is_in_form_ && tag.name == "input") {
    on_field(tag);
  } else if (is_in_form_ && tag.name == "button") {
    on_button(tag);
  }
}

HtmlPage Reader::read() {
  while (const auto tag = next_tag()) on_tag(*tag);
  return std::move(page_);
}

}  // namespace

const HtmlField* HtmlForm::find(std::string_view type) const {
  const auto found = std::ranges::find_if(fields, [&](const HtmlField& field) { return field.type == type; });
  return found == fields.end() ? nullptr : &*found;
}

const HtmlField* HtmlForm::find_name_field() const {
  const HtmlField* name = nullptr;
  for (const HtmlField& field : fields) {
    if (field.type == "password") return name;
    if (field.type == "text" || field.type == "email" || field.type == "tel") name = &field;
  }
  return nullptr;
}

HtmlPage parse_html(std::string_view html, const HtmlLimits& limits) { return Reader{html, limits}.read(); }

}  // namespace turnpike::client
