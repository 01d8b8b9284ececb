#include "program/terminal.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

namespace turnpike::program {

void print(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
  (void)std::fflush(stdout);
}

void print_line(std::string_view text) { print(std::string{text} + '\n'); }

void complain(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines += "turnpike: " + std::string{text.substr(0, end)} + '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  (void)std::fwrite(lines.data(), 1, lines.size(), stderr);
}

int tell(const Answer& answer) {
  if (!answer.text.empty()) print(answer.text);
  if (!answer.complaint.empty()) complain(answer.complaint);
  return answer.exit_status;
}

}  // namespace turnpike::program
