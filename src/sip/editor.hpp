#pragma once
// Editor rewrites a received message for forwarding (RFC 3261 section 16.6): rows, members of lists and
// parameters come and go, and every byte that is not named stays as it was received.
//
// All edits speak about the message as it was received. Rows that were added stay whatever else is removed;
// what was changed within a row goes where the row, the member or the parameter goes. What is removed twice
// is gone once. The message must outlive the editor.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/function_ref.hpp"
#include "sip/headers.hpp"
#include "sip/message.hpp"

namespace turnpike::sip {

class Editor {
 public:
  explicit Editor(const Message& message);

  Editor& set_request_uri(std::string_view uri);

  // A row before the first of its name, else before all rows; the later one comes first.
  Editor& prepend(HeaderName name, std::string_view value);
  // A row behind the last of its name, else behind all rows.
  Editor& append(HeaderName name, std::string_view value);
  Editor& append(std::string_view name, std::string_view value);
  Editor& remove(HeaderName name);  // every row
  Editor& remove(std::string_view name);
  // One row where the first stood, instead of all of them.
  Editor& replace(HeaderName name, std::string_view value);

  // Members of a list over all its rows; rows without a member left go too.
  Editor& remove_values(HeaderName name, FunctionRef<bool(std::string_view)> is_unwanted);
  Editor& remove_first_value(HeaderName name);

  // The parameters must be a view of the edited message.
  Editor& remove_params(const Params& params, std::initializer_list<std::string_view> names);
  Editor& add_param(const Params& params, std::string_view param);  // whole: name, "=" and value
  Editor& set_param(const Params& params, std::string_view name, std::string_view value);

  // With Content-Type and Content-Length; an empty body has no type.
  Editor& set_body(std::string_view content_type, std::string_view body);

  // What a proxy does.
  Editor& push_via(std::string_view value) { return prepend(HeaderName::via, value); }
  Editor& pop_via() { return remove_first_value(HeaderName::via); }
  Editor& push_route(std::string_view value) { return prepend(HeaderName::route, value); }
  Editor& pop_route() { return remove_first_value(HeaderName::route); }
  Editor& push_record_route(std::string_view value) { return prepend(HeaderName::record_route, value); }
  Editor& push_path(std::string_view value) { return prepend(HeaderName::path, value); }
  // RFC 3261 section 18.2.1 and RFC 3581 section 4: where the request came from, as received and rport.
  Editor& stamp_via(const Via& top, const SocketAddress& source);
  // RFC 3261 section 16.6 step 3: 70 where there is none. An error when it was 0 or malformed.
  Parsed<void> decrement_max_forwards();

  [[nodiscard]] std::string text() const;

 private:
  // Bytes [begin, end) of the message go, and text comes in their place.
  struct Edit {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::int32_t order = 0;  // among those at one place; negative: the later comes first
    std::uint32_t text_begin = 0;
    std::uint32_t text_size = 0;
    bool is_row = false;  // stays within what is removed around it
  };
  [[nodiscard]] std::size_t offset_of(const char* position) const;
  [[nodiscard]] std::size_t begin_of(std::string_view part) const;
  [[nodiscard]] std::size_t end_of(std::string_view part) const;
  void spell_version();
  void cut(std::size_t begin, std::size_t end);
  void cut(std::string_view part);
  void insert_row(std::size_t at, bool in_front, std::string_view name, std::string_view value);
  // The text is what was added behind `text_begin`.
  void splice(std::size_t begin, std::size_t end, std::size_t text_begin);
  void append_row(std::optional<std::size_t> behind, std::string_view name, std::string_view value);
  void thin_row(const Header& row, FunctionRef<bool(std::string_view)> is_unwanted);

  const Message* message_;
  std::vector<Edit> edits_;
  std::string added_;
  std::int32_t last_order_ = 0;
};

}  // namespace turnpike::sip
