#pragma once
// turnpike's command line: every command, and nothing but their names.

namespace turnpike::program {

// Returns the exit status.
int run_program(int count, const char* const* values);

}  // namespace turnpike::program
