#include "base/glob.hpp"

namespace turnpike {

bool matches_glob(std::string_view pattern, std::string_view text) {
  constexpr auto none = std::string_view::npos;
  std::size_t star = none, resume = 0, at = 0, place = 0;
  while (at < text.size()) {
    if (place < pattern.size() && pattern[place] == '*') {
      star = place++;
      resume = at;
    } else if (place < pattern.size() && pattern[place] == text[at]) {
      ++place;
      ++at;
    } else if (star != none) {
      // The last star takes one character more; those before it need not be looked at again.
      place = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', place) == none;
}

}  // namespace turnpike
