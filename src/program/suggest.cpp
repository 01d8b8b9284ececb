#include "program/suggest.hpp"

#include <algorithm>
#include <numeric>

namespace turnpike::program {
namespace {

// Levenshtein's distance, in two rows.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string* nearest = nullptr;
  std::size_t nearest_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const bool is_longer_form = word.size() >= 4 && candidate.starts_with(word);
    const std::size_t found = is_longer_form ? 1 : distance(word, candidate);
    if (found < nearest_distance && found < candidate.size()) {
      nearest = &candidate;
      nearest_distance = found;
    }
  }
  return nearest == nullptr ? std::string{} : "; did you mean \"" + *nearest + "\"?";
}

}  // namespace turnpike::program
