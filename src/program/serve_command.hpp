#pragma once
// turnpike serve: runs until it is told to end.

#include "program/options.hpp"

namespace turnpike::program {

void add_serve_command(Command root);

}  // namespace turnpike::program
