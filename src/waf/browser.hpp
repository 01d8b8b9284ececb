#pragma once
// The browser on the other side: its cookies, and the marks that tie forms to it.

#include <optional>
#include <string>
#include <string_view>

#include "waf/visit.hpp"

namespace turnpike::waf {

// What its cookie names, of a user who is enabled.
std::optional<Session> find_session(const Visit& visit);
// Opens one with a new name, whatever cookie was there (session fixation), and sets the cookie.
Session open_session(Visit& visit, std::string_view user, Response& response);

// The browser's own random name made and set where it has none.
std::string ensure_browser(Visit& visit, Fields& fields);
std::optional<std::string_view> find_browser(const Visit& visit);

// Marks the browser as one in which this name has logged in, for a year; and whether it is one.
void remember_browser(Visit& visit, std::string_view name, Fields& fields);
bool is_known_browser(const Visit& visit, std::string_view name);

// RFC 9700 section 4.7: a mark that this server made for a form with this content in this browser.
std::string make_mark(const Visit& visit, std::string_view browser, std::string_view purpose,
                      std::string_view content);
// Whether the form comes from here: its mark, its age, and its Origin where that is told.
bool is_own_form(const Visit& visit, const Form& form, std::string_view purpose, std::string_view content);

}  // namespace turnpike::waf
