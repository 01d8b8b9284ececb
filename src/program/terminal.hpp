#pragma once
// What a command says: results on standard output, complaints on standard error, one line each.

#include <string_view>

namespace turnpike::program {

void print(std::string_view text);       // as it is
void print_line(std::string_view text);  // and an end of line
void complain(std::string_view text);    // "turnpike: ..." on standard error
int refuse(std::string_view text);       // complains; returns exit status 2

}  // namespace turnpike::program
