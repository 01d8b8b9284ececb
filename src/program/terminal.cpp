#include "program/terminal.hpp"

#include <cstdio>
#include <string>

#include "program/options.hpp"

namespace turnpike::program {

void print(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
  (void)std::fflush(stdout);
}

void print_line(std::string_view text) { print(std::string{text} + '\n'); }

void complain(std::string_view text) {
  const std::string line = "turnpike: " + std::string{text} + '\n';
  (void)std::fwrite(line.data(), 1, line.size(), stderr);
}

int refuse(std::string_view text) {
  complain(text);
  return exit_wrong;
}

}  // namespace turnpike::program
