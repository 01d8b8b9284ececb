#include "program/key_certificate.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "program/text_file.hpp"
#include "service/certificate.hpp"

namespace turnpike::program {
namespace {

constexpr const char* certificate_help =
    "Makes a certificate that signs itself, with its key, for the wss: door of the eP-CSCF. Clients\n"
    "have to be told to trust it; for the world, take one of an authority that browsers know.\n\n"
    "Example:\n"
    "  turnpike key certificate --certificate var/epcscf.pem --key var/epcscf.key --name localhost\n";

}  // namespace

Answer make_key_certificate(const KeyCertificateOptions& options, WallTime wall) {
  std::error_code error;
  const bool has_certificate = std::filesystem::exists(options.certificate, error);
  const bool has_key = std::filesystem::exists(options.key, error);
  if (has_certificate && has_key && options.if_missing) return say("");
  if (has_certificate || has_key)
    return refuse(fmt::format("{} is there already, and a certificate or key is never overwritten",
                              has_certificate ? options.certificate : options.key));
  const auto names =
      options.names.empty() ? std::vector<std::string>{"localhost", "127.0.0.1"} : options.names;
  const auto pair =
      service::make_certificate(names, std::chrono::days{static_cast<std::int64_t>(options.days)}, wall);
  if (!pair) return refuse(pair.error());
  for (const auto& [file, text] : {std::pair{options.key, pair->key.reveal_text()},
                                   std::pair{options.certificate, std::string_view{pair->certificate}}})
    if (const auto written = write_private_file(file, text); !written)
      return refuse(fmt::format("cannot write {}: {}", file, written.error().reason));
  return say("");
}

void add_key_certificate(Command& key) {
  const auto options = std::make_shared<KeyCertificateOptions>();
  Command certificate =
      key.add("certificate", "Make a certificate that signs itself, to try the eP-CSCF with");
  certificate
      .required_text("--certificate", options->certificate, "write it into this file, which must not exist")
      .required_text("--key", options->key, "write its key into this file, which must not exist")
      .texts("--name", options->names,
             "a host or address that it is for; once for each. localhost and 127.0.0.1 without any")
      .number("--days", options->days, 1, 3650, "how long it is good")
      .flag("--if-missing", options->if_missing, "files that exist stay as they are, and all is well")
      .explain(certificate_help);
  certificate.on_run([options] { return make_key_certificate(*options, read_clocks().wall); });
}

}  // namespace turnpike::program
