#pragma once
// The forms of an HTML page, as far as a client without a screen needs them to log in: where each goes, what
// its fields are, and what the page complains about (role="alert"). Scripts are not run, so that a page which
// needs them shows no form that can be filled.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::client {

struct HtmlField {
  std::string type = "text";  // "hidden", "password", "submit", ... in lower case
  std::string name{};
  std::string value{};
  bool is_checked = false;
};

struct HtmlForm {
  std::string action{};  // may be relative; empty: the page itself
  bool is_post = false;
  std::vector<HtmlField> fields{};  // in their order, buttons among them

  // The field of that type; nothing where there is none.
  [[nodiscard]] const HtmlField* find(std::string_view type) const;
  // Where the name of the user goes: the last field of text before the password.
  [[nodiscard]] const HtmlField* find_name_field() const;
};

struct HtmlPage {
  std::vector<HtmlForm> forms{};
  std::string alert{};  // the text of the first element that has this role
};

struct HtmlLimits {
  std::size_t forms_max = 16;
  std::size_t fields_max = 128;         // of one form
  std::size_t value_bytes_max = 65536;  // of one attribute
  std::size_t alert_bytes_max = 300;
};

// What does not make sense is passed over; what is beyond the limits is not read.
HtmlPage parse_html(std::string_view html, const HtmlLimits& limits = {});

}  // namespace turnpike::client
