#include "epcscf/reginfo.hpp"

#include <algorithm>
#include <utility>

#include "sip/text.hpp"

namespace turnpike::epcscf {
namespace {

constexpr std::size_t depth_max = 16;
constexpr std::size_t attributes_max = 32;
constexpr std::string_view white = " \t\r\n";

struct Attribute {
  std::string_view name;
  std::string value;
};
struct Tag {
  std::string_view name;  // without its prefix
  std::vector<Attribute> attributes{};
  bool is_end = false;    // "</name>"
  bool is_empty = false;  // "<name/>"

  [[nodiscard]] std::string_view value(std::string_view wanted) const {
    const auto found = std::ranges::find(attributes, wanted, &Attribute::name);
    return found == attributes.end() ? std::string_view{} : std::string_view{found->value};
  }
};

std::string_view without_prefix(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// The five entities of XML itself and characters of ASCII by number; all others are refused.
std::optional<char> entity_of(std::string_view name) {
  if (name == "lt") return '<';
  if (name == "gt") return '>';
  if (name == "amp") return '&';
  if (name == "quot") return '"';
  if (name == "apos") return '\'';
  if (!name.starts_with('#')) return std::nullopt;
  const auto number = sip::parse_number(name.substr(1), 126);
  return number && *number >= 32 ? std::optional{static_cast<char>(*number)} : std::nullopt;
}

std::optional<std::string> decoded(std::string_view text) {
  constexpr std::size_t entity_size_max = 8;
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '&') {
      result += text[at];
      continue;
    }
    const std::size_t end = text.substr(at, entity_size_max).find(';');
    if (end == std::string_view::npos) return std::nullopt;
    const auto character = entity_of(text.substr(at + 1, end - 1));
    if (!character) return std::nullopt;
    result += *character;
    at += end;
  }
  return result;
}

class Reader {
 public:
  explicit Reader(std::string_view xml) : rest_(xml) {}

  // The next tag with the text before it in `text`. Nothing at the end, or for a defect.
  std::optional<Tag> next(std::string_view& text) {
    const char* const start = rest_.data();
    while (true) {
      const std::size_t at = rest_.find('<');
      if (at == std::string_view::npos) return stop(trim(rest_).empty());
      const char* const end = rest_.data() + at;
      rest_.remove_prefix(at);
      if (rest_.starts_with("<!--")) {
        if (!skip_behind("-->")) return stop(false);
      } else if (rest_.starts_with("<?")) {
        if (!skip_behind("?>")) return stop(false);
      } else if (rest_.starts_with("<!")) {
        return stop(false);
      } else {
        text = {start, static_cast<std::size_t>(end - start)};
        return read_tag();
      }
    }
  }
  [[nodiscard]] bool is_sound() const { return is_sound_; }

 private:
  static std::string_view trim(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(white);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(white) - begin + 1);
  }
  std::optional<Tag> stop(bool is_sound) {
    is_sound_ = is_sound_ && is_sound;
    return std::nullopt;
  }
  bool skip_behind(std::string_view mark) {
    const std::size_t at = rest_.find(mark);
    if (at == std::string_view::npos) return false;
    rest_.remove_prefix(at + mark.size());
    return true;
  }
  void skip_white() { rest_.remove_prefix(std::min(rest_.find_first_not_of(white), rest_.size())); }
  bool accept(char character) {
    if (!rest_.starts_with(character)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view take_name() {
    const std::size_t end = std::min(rest_.find_first_of(" \t\r\n=/><\"'&"), rest_.size());
    const std::string_view name = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return name;
  }

  std::optional<Tag> read_tag() {
    accept('<');
    Tag tag;
    tag.is_end = accept('/');
    tag.name = without_prefix(take_name());
    if (tag.name.empty()) return stop(false);
    while (true) {
      skip_white();
      if (accept('>')) return tag;
      if (accept('/')) {
        tag.is_empty = true;
        return !tag.is_end && accept('>') ? std::optional{tag} : stop(false);
      }
      if (tag.attributes.size() >= attributes_max || !read_attribute(tag)) return stop(false);
    }
  }
  bool read_attribute(Tag& tag) {
    const std::string_view name = take_name();
    skip_white();
    if (name.empty() || !accept('=')) return false;
    skip_white();
    if (!rest_.starts_with('"') && !rest_.starts_with('\'')) return false;
    const char quote = rest_.front();
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) return false;
    auto value = decoded(rest_.substr(1, end - 1));
    if (!value) return false;
    rest_.remove_prefix(end + 1);
    tag.attributes.push_back({without_prefix(name), *std::move(value)});
    return true;
  }

  std::string_view rest_;
  bool is_sound_ = true;
};

class Builder {
 public:
  bool open(const Tag& tag, std::size_t depth) {
    if (depth == 0) {
      if (tag.name != "reginfo") return false;
      const auto version = sip::parse_number(tag.value("version"), UINT64_MAX);
      info.version = version.value_or(0);
      info.is_full = tag.value("state") == "full";
    } else if (depth == 1 && tag.name == "registration") {
      const std::string_view state = tag.value("state");
      info.registrations.push_back(
          {.aor = std::string{tag.value("aor")}, .is_active = state != "init" && state != "terminated"});
    } else if (depth == 2 && tag.name == "contact" && !info.registrations.empty()) {
      info.registrations.back().contacts.push_back(
          {.is_terminated = tag.value("state") == "terminated", .event = std::string{tag.value("event")}});
    }
    if (depth == 3) param_ = tag.name == "unknown-param" ? tag.value("name") : std::string_view{};
    return true;
  }
  bool close(const Tag& tag, std::size_t depth, std::string_view text) {
    if (depth != 3 || info.registrations.empty() || info.registrations.back().contacts.empty()) return true;
    if (tag.name != "uri" && tag.name != "unknown-param") return true;
    auto value = decoded(sip::trimmed(text));
    if (!value) return false;
    ReginfoContact& contact = info.registrations.back().contacts.back();
    if (tag.name == "uri")
      contact.uri = *std::move(value);
    else if (sip::equal_ignoring_case(param_, "+sip.instance"))
      contact.instance = sip::unquoted(*value);
    else if (sip::equal_ignoring_case(param_, "reg-id"))
      contact.reg_id = sip::unquoted(*value);
    return true;
  }
  Reginfo info;

 private:
  std::string param_{};  // the name of the one that is open
};

}  // namespace

std::optional<Reginfo> parse_reginfo(std::string_view xml, const Limits& limits) {
  if (xml.size() > limits.reginfo_bytes_max) return std::nullopt;
  Reader reader{xml};
  Builder builder;
  std::vector<std::string_view> open;
  std::size_t elements = 0;
  std::string_view text;
  while (const auto tag = reader.next(text)) {
    if (tag->is_end) {
      if (open.empty() || open.back() != tag->name) return std::nullopt;
      open.pop_back();
      if (!builder.close(*tag, open.size(), text)) return std::nullopt;
      continue;
    }
    const bool is_second_root = open.empty() && elements > 0;
    if (is_second_root || ++elements > limits.reginfo_elements_max || open.size() >= depth_max)
      return std::nullopt;
    if (!builder.open(*tag, open.size())) return std::nullopt;
    if (!tag->is_empty) open.push_back(tag->name);
  }
  if (!reader.is_sound() || !open.empty() || elements == 0) return std::nullopt;
  return std::move(builder.info);
}

}  // namespace turnpike::epcscf
