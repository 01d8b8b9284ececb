#pragma once
// What a command answers, as a value: so that commands can be tested without a terminal.

#include <string>

namespace turnpike::program {

// Exit statuses of every command.
inline constexpr int exit_ok = 0;
inline constexpr int exit_no = 1;     // it ran, and the answer is no
inline constexpr int exit_wrong = 2;  // a wrong option, a wrong configuration, a machine that does not let us

struct Answer {
  int exit_status = exit_ok;
  std::string text{};       // for standard output, with its ends of lines
  std::string complaint{};  // for standard error, one line each, without the last end
};

inline Answer say(std::string text) { return {exit_ok, std::move(text), {}}; }
inline Answer say_no(std::string complaint) { return {exit_no, {}, std::move(complaint)}; }
inline Answer refuse(std::string complaint) { return {exit_wrong, {}, std::move(complaint)}; }

}  // namespace turnpike::program
