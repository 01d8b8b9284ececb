#include "program/program.hpp"

int main(int count, char** values) { return turnpike::program::run_program(count, values); }
