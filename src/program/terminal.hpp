#pragma once
// What a command says: results on standard output, complaints on standard error.

#include <string_view>

#include "program/answer.hpp"

namespace turnpike::program {

void print(std::string_view text);       // as it is
void print_line(std::string_view text);  // and an end of line
void complain(std::string_view text);    // "turnpike: ..." on standard error, each line
int tell(const Answer& answer);          // all of it; returns its exit status

}  // namespace turnpike::program
