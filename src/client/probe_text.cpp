#include <fmt/format.h>

#include "client/probe.hpp"
#include "client/wrapped_text.hpp"

namespace turnpike::client {
namespace {

std::string_view to_title(ProbeStepName name) {
  switch (name) {
    case ProbeStepName::resolve:
      return "find the server's address";
    case ProbeStepName::binding:
      return "reach it (Binding)";
    case ProbeStepName::challenge:
      return "see what it asks for";
    case ProbeStepName::allocate:
      return "log in and allocate";
    case ProbeStepName::permission:
      return "permit a peer";
    case ProbeStepName::send:
      return "relay by Send and Data";
    case ProbeStepName::channel_bind:
      return "bind a channel";
    case ProbeStepName::channel_data:
      return "relay by ChannelData";
    case ProbeStepName::close:
      return "delete the allocation";
  }
  return "";
}

std::string_view to_mark(ProbeOutcome outcome) {
  switch (outcome) {
    case ProbeOutcome::passed:
      return "ok";
    case ProbeOutcome::warned:
      return "hmm";
    case ProbeOutcome::failed:
      return "FAIL";
    case ProbeOutcome::not_reached:
      return "-";
  }
  return "";
}

}  // namespace

std::string_view to_string(ProbeStepName name) {
  switch (name) {
    case ProbeStepName::resolve:
      return "resolve";
    case ProbeStepName::binding:
      return "binding";
    case ProbeStepName::challenge:
      return "challenge";
    case ProbeStepName::allocate:
      return "allocate";
    case ProbeStepName::permission:
      return "permission";
    case ProbeStepName::send:
      return "send";
    case ProbeStepName::channel_bind:
      return "channel_bind";
    case ProbeStepName::channel_data:
      return "channel_data";
    case ProbeStepName::close:
      return "close";
  }
  return "";
}

std::string_view to_string(ProbeOutcome outcome) {
  switch (outcome) {
    case ProbeOutcome::not_reached:
      return "not reached";
    case ProbeOutcome::passed:
      return "ok";
    case ProbeOutcome::warned:
      return "warning";
    case ProbeOutcome::failed:
      return "failed";
  }
  return "";
}

std::string format_event(const ProbeEvent& event) {
  const std::string_view arrow = event.direction == ProbeEvent::Direction::sent       ? "->"
                                 : event.direction == ProbeEvent::Direction::received ? "<-"
                                                                                      : "  ";
  const std::string line = fmt::format("{:8.1f} ms  {}  {}", event.at_ms, arrow, event.message);
  return to_printable(event.result.empty() ? line : fmt::format("{:<45}  {}", line, event.result));
}

std::string format_summary(const ProbeReport& report) {
  std::string text;
  for (const ProbeStep& step : report.steps)
    if (step.outcome != ProbeOutcome::not_reached)
      text += fmt::format("  {:<4}  {:<26}  {}\n", to_mark(step.outcome), to_title(step.name),
                          step.outcome == ProbeOutcome::failed ? "see below" : step.words);
  if (!text.empty()) text += '\n';
  text += wrap(report.verdict, 0) + '\n';
  for (const std::string& warning : report.warnings) text += "\n  ! " + wrap(warning, 4) + '\n';
  if (!report.advice.empty()) text += "\nWhat to do:\n";
  for (const std::string& advice : report.advice) text += "  * " + wrap(advice, 4) + '\n';
  return to_printable(std::move(text));
}

}  // namespace turnpike::client
