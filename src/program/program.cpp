#include "program/program.hpp"

#include "program/admin_command.hpp"
#include "program/bench_command.hpp"
#include "program/bench_sip_command.hpp"
#include "program/config_command.hpp"
#include "program/issue_command.hpp"
#include "program/key_command.hpp"
#include "program/options.hpp"
#include "program/probe_command.hpp"
#include "program/serve_command.hpp"
#include "program/subscriber_command.hpp"
#include "program/terminal.hpp"
#include "program/token_command.hpp"
#include "program/waf_client_command.hpp"
#include "program/waf_command.hpp"
#include "program/waf_user_command.hpp"
#include "program/wic_command.hpp"

namespace turnpike::program {

int run_program(int count, const char* const* values) {
  CommandLine line{"turnpike: a TURN server whose clients never hold a long-lived password",
                   "turnpike " TURNPIKE_VERSION};
  Command root = line.root();
  root.require_command();
  add_serve_command(root);
  add_check_command(root);
  add_issue_command(root);
  add_explain_command(root);
  add_admin_command(root);
  add_probe_command(root);
  add_wic_command(root);
  add_bench_command(root);
  add_bench_sip_command(root);
  add_key_command(root);
  add_token_command(root);
  add_subscriber_command(root);
  add_client_command(root);
  add_user_command(root);
  add_waf_command(root);
  return tell(line.run(count, values));
}

}  // namespace turnpike::program
