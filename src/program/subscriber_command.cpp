#include "program/subscriber_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/secret.hpp"
#include "program/account_command.hpp"
#include "program/config_command.hpp"
#include "program/text_file.hpp"
#include "store/subscriber_book.hpp"

namespace turnpike::program {
namespace {

std::string describe(const std::string& database, const store::StoreError& error) {
  if (error.fault == store::StoreFault::busy)
    return fmt::format("{}: another process is writing to it; try again", database);
  return fmt::format("{}: {}", database, error.text);
}

// A command that only looks creates nothing.
std::expected<store::SubscriberBook, Answer> open_book(const std::string& database, bool may_create) {
  std::error_code error;
  if (!may_create && !std::filesystem::exists(database, error))
    return std::unexpected(refuse(fmt::format("{}: there is no such file", database)));
  auto book = store::SubscriberBook::open(database);
  if (!book) return std::unexpected(refuse(describe(database, book.error())));
  return *std::move(book);
}

Answer keep(const std::string& database, const std::vector<ims::Subscriber>& subscribers) {
  auto book = open_book(database, true);
  if (!book) return book.error();
  if (auto added = book->add(subscribers); !added) return refuse(describe(database, added.error()));
  return say(fmt::format("{} subscriber{} added to {}\n", subscribers.size(),
                         subscribers.size() == 1 ? "" : "s", database));
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string methods_of(const ims::Subscriber& subscriber) {
  std::vector<std::string> methods;
  if (subscriber.digest) methods.emplace_back("digest");
  if (subscriber.aka) methods.emplace_back("aka");
  return joined(methods, ",");
}

}  // namespace

std::expected<std::string, Answer> find_database(const std::optional<std::string>& database,
                                                 const std::optional<std::string>& config_file) {
  if (database.has_value() == config_file.has_value())
    return std::unexpected(refuse("found both or neither of --database and --config, allowed: one of them"));
  if (database) return *database;
  auto config = require_config(config_file);
  if (!config) return std::unexpected(config.error());
  if (!config->ims)
    return std::unexpected(refuse(*config_file + ": found no [ims], which names the database"));
  return config->ims->database;
}

Answer add_subscriber(const std::string& database, const SubscriberAddOptions& options) {
  SubscriberRow row{.impi = options.impi,
                    .impus = options.impus,
                    .realm = options.realm.value_or(""),
                    .k = options.k,
                    .opc = options.opc,
                    .amf = options.amf,
                    .pool = options.pool.value_or(""),
                    .is_barred = options.is_barred};
  if (options.password_file) {
    auto password = read_password_file(*options.password_file);
    if (!password) return refuse(password.error());
    row.password = *std::move(password);
  }
  const auto subscriber = make_subscriber(row);
  if (!subscriber) return refuse(subscriber.error());
  return keep(database, {*subscriber});
}

Answer list_subscribers(const std::string& database, bool as_json) {
  auto book = open_book(database, false);
  if (!book) return book.error();
  const auto subscribers = book->list();
  if (!subscribers) return refuse(describe(database, subscribers.error()));
  if (as_json) {
    auto array = nlohmann::ordered_json::array();
    for (const ims::Subscriber& subscriber : *subscribers)
      array.push_back({{"impi", subscriber.impi},
                       {"impus", subscriber.impus},
                       {"digest", subscriber.digest.has_value()},
                       {"aka", subscriber.aka.has_value()},
                       {"pool", subscriber.pool},
                       {"barred", subscriber.is_barred}});
    return say(array.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n');
  }
  std::string text;
  for (const ims::Subscriber& subscriber : *subscribers)
    text += fmt::format("{:<32} {:<11} {:<16} {}{}\n", subscriber.impi, methods_of(subscriber),
                        subscriber.pool.empty() ? "-" : subscriber.pool, joined(subscriber.impus, " "),
                        subscriber.is_barred ? "  barred" : "");
  if (text.empty()) return say_no(fmt::format("{}: no subscribers", database));
  return say(text);
}

Answer remove_subscriber(const std::string& database, const std::string& impi) {
  auto book = open_book(database, false);
  if (!book) return book.error();
  const auto removed = book->remove(impi);
  if (!removed) return refuse(describe(database, removed.error()));
  if (!*removed) return say_no(fmt::format("{}: found no {}", database, impi));
  return say(
      fmt::format("{} removed from {}\nif it is registered, a server that runs on this file ends that "
                  "within a second\n",
                  impi, database));
}

Answer import_subscribers(const std::string& database, const std::string& file) {
  const bool is_json = file.ends_with(".json");
  if (!is_json && !file.ends_with(".csv"))
    return refuse(fmt::format("FILE: found \"{}\", allowed: a name that ends in .csv or .json", file));
  auto text = read_text_file(file);
  if (!text) return refuse(fmt::format("{}: {}", file, text.error()));
  const auto rows = is_json ? parse_subscriber_json(*text, file) : parse_subscriber_csv(*text, file);
  wipe({reinterpret_cast<Byte*>(text->data()), text->size()});
  if (!rows) return refuse(joined(rows.error(), "\n"));
  return keep(database, *rows);
}

// --- the command line -------------------------------------------------------------------------------------
namespace {

constexpr const char* add_help =
    "Examples:\n"
    "  turnpike subscriber add alice@ims.example --password-file alice.password --database "
    "var/subscribers.db\n"
    "  printf %s wonderland | turnpike subscriber add bob@ims.example --password-file - --impu tel:+4930123 "
    "\\\n"
    "    --impu sip:bob@ims.example --database var/subscribers.db\n"
    "A key on the command line can be seen by other users while the command runs; import reads a file.\n";
constexpr const char* import_help =
    "CSV: the first line names the columns, in any order:\n"
    "  impi,impus,password,realm,k,opc,amf,pool,barred\n"
    "  alice@ims.example,sip:alice@ims.example tel:+4930123,wonderland,,,,,,\n"
    "JSON: an array of objects with the same names, where impus is an array and barred true or false.\n"
    "All of the file is added, or nothing; each problem is named with its place.\n";

// Where the subscribers are: the file itself, or the configuration that names it.
class BookPlace {
 public:
  explicit BookPlace(Command& command) {
    command.text("--database", names_->database, "the file of the subscribers")
        .text("--config", names_->config, "the configuration whose [ims] database it is");
  }
  template <typename Action>
  [[nodiscard]] Answer with(bool /*may_create*/, const Action& action) const {
    auto database = find_database(names_->database, names_->config);
    return database ? action(*database) : database.error();
  }

 private:
  struct Names {
    std::optional<std::string> database{};
    std::optional<std::string> config{};
  };
  std::shared_ptr<Names> names_ = std::make_shared<Names>();
};

void describe_add(Command& command, SubscriberAddOptions& options) {
  command.required_text("IMPI", options.impi, "the private identity: user@domain")
      .texts("--impu", options.impus, "a public identity, the default first; unset: sip: and the private one")
      .text("--password-file", options.password_file, "SIP Digest: one line, - for standard input")
      .text("--realm", options.realm, "of the password; the domain of the private identity if unset")
      .text("--aka-k", options.k, "IMS AKA: K, 32 hexadecimal digits")
      .text("--aka-opc", options.opc, "IMS AKA: OPc, 32 hexadecimal digits")
      .text("--aka-amf", options.amf, "IMS AKA: AMF, 4 hexadecimal digits; 8000 if unset")
      .text("--pool", options.pool, "the WWSF whose pool the identity belongs to")
      .flag("--barred", options.is_barred, "may not register")
      .explain(add_help);
}

}  // namespace

void add_subscriber_command(Command root) {
  Command subscriber = root.add("subscriber", "Keep the subscribers of the home core").require_command();
  add_account_command<BookPlace, SubscriberAddOptions>(subscriber, "add", "Add a subscriber", true,
                                                       describe_add, add_subscriber);
  add_list_command<BookPlace>(subscriber, "List the subscribers, without their secrets", list_subscribers);
  add_named_command<BookPlace>(subscriber, "remove",
                               "Remove a subscriber; a registration ends within a second", "IMPI",
                               "the private identity", remove_subscriber);
  add_account_command<BookPlace, NameOptions>(
      subscriber, "import", "Add all subscribers of a file", true,
      [](Command& command, NameOptions& options) {
        command.required_text("FILE", options.name, "what to read: .csv or .json").explain(import_help);
      },
      [](const std::string& database, const NameOptions& options) {
        return import_subscribers(database, options.name);
      });
}

}  // namespace turnpike::program
