#pragma once
// turnpike issue and turnpike explain: a credential is made, and a username is looked into.

#include "program/options.hpp"

namespace turnpike::program {

void add_issue_command(Command root);
void add_explain_command(Command root);

}  // namespace turnpike::program
