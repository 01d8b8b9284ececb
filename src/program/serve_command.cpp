#include "program/serve_command.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

#include "program/config_command.hpp"
#include "program/serving.hpp"
#include "program/terminal.hpp"

namespace turnpike::program {
namespace {

struct ServeOptions {
  std::optional<std::string> config;
  bool print_config = false;
};

constexpr const char* serve_help =
    "Checks the whole configuration before anything is opened; what is wrong is told, and nothing\n"
    "is half started (exit status 2). The log goes to standard error. Each of the sections [turn],\n"
    "[epcscf] and [ims] that is there is a part of the process, alone or with the others.\n"
    "  SIGTERM, SIGINT   stop: all allocations end\n"
    "  SIGHUP            read the configuration again: users, secrets, keys and the log level\n"
    "                    change, a file with problems changes nothing\n"
    "  turnpike admin drain --config F    take nobody new, end with the last allocation and call\n\n"
    "Example:\n"
    "  turnpike serve --config turnpike.toml\n";

// Before any thread exists, so that all of them leave these signals to the one that waits for them.
int open_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  (void)std::signal(SIGPIPE, SIG_IGN);
  return ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

Answer serve(const ServeOptions& options) {
  auto loaded = require_loaded_config(options.config);
  if (!loaded) return loaded.error();
  if (options.print_config) return say(format_config(loaded->config));
  const int signals = open_signals();
  Log log{loaded->config.log_level, loaded->config.log_format};
  for (const std::string& warning : loaded->warnings) log.warn("config", {{"warning", warning}});
  auto serving = Serving::start(std::move(loaded->config), log);
  if (!serving) return refuse(serving.error());
  (*serving)->run(signals);
  ::close(signals);
  return say("");
}

}  // namespace

void add_serve_command(Command root) {
  const auto options = std::make_shared<ServeOptions>();
  Command command = root.add("serve", "Run what the configuration has: TURN server, eP-CSCF, home core");
  command.text("--config", options->config, "the configuration")
      .flag("--print-config", options->print_config, "print it with its defaults, secrets masked, and end")
      .explain(serve_help);
  command.on_run([options] { return serve(*options); });
}

}  // namespace turnpike::program
