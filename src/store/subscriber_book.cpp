#include "store/subscriber_book.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace turnpike::store {
namespace {

constexpr std::array migrations{
    "CREATE TABLE subscriber ("
    "  id INTEGER PRIMARY KEY,"
    "  impi TEXT NOT NULL UNIQUE,"
    "  ha1_md5 BLOB, ha1_sha256 BLOB,"
    "  k BLOB, opc BLOB, amf BLOB, sqn INTEGER,"
    "  pool TEXT NOT NULL DEFAULT '',"
    "  barred INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE identity ("
    "  impu TEXT NOT NULL PRIMARY KEY,"
    "  subscriber INTEGER NOT NULL REFERENCES subscriber(id) ON DELETE CASCADE,"
    "  position INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX identity_of ON identity(subscriber, position);",
};

constexpr std::string_view columns =
    "s.id, s.impi, s.ha1_md5, s.ha1_sha256, s.k, s.opc, s.amf, s.sqn, s.pool, s.barred";

// Whatever way a statement is left, it is ready for the next run, and holds no lock.
class Run {
 public:
  explicit Run(Statement& statement) : statement_(&statement) { statement.reset(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { statement_->reset(); }
  Statement* operator->() const { return statement_; }
  Statement& operator*() const { return *statement_; }

 private:
  Statement* statement_;
};

}  // namespace

const Schema& subscriber_schema() {
  static constexpr Schema schema{.application_id = 0, .migrations = migrations};
  return schema;
}

Stored<SubscriberBook> SubscriberBook::open(const std::string& file, const StoreLimits& limits,
                                            std::chrono::milliseconds trusted_for) {
  auto database = Database::open(file, subscriber_schema(), limits);
  if (!database) return std::unexpected(database.error());
  std::optional<StoreError> error;
  std::vector<Statement> made;
  const std::string select = "SELECT " + std::string{columns} + " FROM subscriber s ";
  for (const std::string& sql :
       {select + "WHERE s.impi = ?", select + "JOIN identity i ON i.subscriber = s.id WHERE i.impu = ?",
        std::string{"SELECT impu FROM identity WHERE subscriber = ? ORDER BY position"},
        std::string{"UPDATE subscriber SET sqn = ? WHERE impi = ? AND k IS NOT NULL RETURNING id"},
        std::string{"INSERT INTO subscriber (impi, ha1_md5, ha1_sha256, k, opc, amf, sqn, pool, barred) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"},
        std::string{"INSERT INTO identity (impu, subscriber, position) VALUES (?, ?, ?)"},
        std::string{"DELETE FROM subscriber WHERE impi = ? RETURNING id"}, select + "ORDER BY s.impi",
        std::string{"PRAGMA data_version"}}) {
    auto statement = database->prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    made.push_back(*std::move(statement));
  }
  return SubscriberBook{*std::move(database),
                        {.find_private = std::move(made[0]),
                         .find_public = std::move(made[1]),
                         .identities = std::move(made[2]),
                         .store_sqn = std::move(made[3]),
                         .add_subscriber = std::move(made[4]),
                         .add_identity = std::move(made[5]),
                         .remove = std::move(made[6]),
                         .list = std::move(made[7]),
                         .version = std::move(made[8])},
                        trusted_for};
}

// --- what an operator does --------------------------------------------------------------------------------

Stored<void> SubscriberBook::add(const std::vector<ims::Subscriber>& subscribers) {
  remembered_.clear();
  auto transaction = Transaction::begin(database_);
  if (!transaction) return std::unexpected(transaction.error());
  for (const ims::Subscriber& subscriber : subscribers)
    if (auto written = write(subscriber); !written) return written;
  return transaction->commit();
}

Stored<void> SubscriberBook::write(const ims::Subscriber& subscriber) {
  const auto failed = [](StoreError error, const std::string& identity) {
    if (error.fault == StoreFault::duplicate) error.text = identity + " is there already";
    return std::unexpected(std::move(error));
  };
  const Run insert{statements_.add_subscriber};
  insert->bind(1, subscriber.impi);
  if (subscriber.digest)
    insert->bind(2, subscriber.digest->ha1_md5.reveal()).bind(3, subscriber.digest->ha1_sha256.reveal());
  if (subscriber.aka)
    insert->bind(4, subscriber.aka->k.reveal())
        .bind(5, subscriber.aka->opc.reveal())
        .bind(6, Bytes{subscriber.aka->amf})
        .bind(7, static_cast<std::int64_t>(subscriber.aka->sqn));
  insert->bind(8, subscriber.pool).bind(9, std::int64_t{subscriber.is_barred ? 1 : 0});
  if (auto row = insert->step(); !row) return failed(row.error(), subscriber.impi);
  const std::int64_t id = insert->number(0);
  // RETURNING has its effect in the first step and its end in the second.
  if (auto end = insert->step(); !end) return failed(end.error(), subscriber.impi);
  std::int64_t position = 0;
  for (const std::string& impu : subscriber.impus) {
    const Run identity{statements_.add_identity};
    identity->bind(1, impu).bind(2, id).bind(3, position++);
    if (auto row = identity->step(); !row) return failed(row.error(), impu);
  }
  return {};
}

Stored<bool> SubscriberBook::remove(std::string_view impi) {
  remembered_.clear();
  const Run run{statements_.remove};
  run->bind(1, impi);
  auto row = run->step();
  if (!row || !*row) return row;
  if (auto end = run->step(); !end) return end;
  return true;
}

Stored<std::vector<ims::Subscriber>> SubscriberBook::list() {
  std::vector<ims::Subscriber> subscribers;
  const Run run{statements_.list};
  while (true) {
    const auto row = run->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return subscribers;
    auto subscriber = read(*run);
    if (!subscriber) return std::unexpected(subscriber.error());
    subscribers.push_back(*std::move(subscriber));
  }
}

// --- what the home core asks ------------------------------------------------------------------------------

// SQLite's number changes with what others have committed; what this connection changes, it forgets itself.
Stored<void> SubscriberBook::look_for_changes() {
  const Run run{statements_.version};
  const auto row = run->step();
  if (!row) return std::unexpected(row.error());
  if (const std::int64_t version = run->number(0); std::exchange(version_, version) != version)
    remembered_.clear();
  return {};
}

std::uint64_t SubscriberBook::version() {
  (void)look_for_changes();  // what cannot be asked has not changed
  return static_cast<std::uint64_t>(version_);
}

std::optional<ims::Subscriber> SubscriberBook::find_private(std::string_view impi) {
  if (const Instant now = read_clocks().mono; now >= trusted_until_) {
    if (auto looked = look_for_changes(); !looked) return answer(std::unexpected(std::move(looked.error())));
    trusted_until_ = now + trusted_for_;
  }
  if (const auto known = remembered_.find(impi); known != remembered_.end()) return answer(known->second);
  auto found = answer(find(statements_.find_private, impi));
  if (!found || found->aka) return found;  // the numbers and keys of cards stay where they are kept
  if (remembered_.size() >= remembered_max) remembered_.clear();
  remembered_.emplace(impi, *found);
  return found;
}

std::optional<ims::Subscriber> SubscriberBook::find_public(std::string_view impu) {
  return answer(find(statements_.find_public, impu));
}

bool SubscriberBook::store_sqn(std::string_view impi, std::uint64_t sqn) {
  const Run run{statements_.store_sqn};
  run->bind(1, static_cast<std::int64_t>(sqn)).bind(2, impi);
  auto row = run->step();
  const bool is_known = row.value_or(false);
  if (is_known) row = run->step();
  last_error_ = row ? std::nullopt : std::optional{row.error()};
  return row.has_value() && is_known;
}

std::optional<ims::Subscriber> SubscriberBook::answer(Stored<std::optional<ims::Subscriber>> found) {
  last_error_ = found ? std::nullopt : std::optional{found.error()};
  return found ? *std::move(found) : std::nullopt;
}

Stored<std::optional<ims::Subscriber>> SubscriberBook::find(Statement& statement, std::string_view identity) {
  const Run run{statement};
  run->bind(1, identity);
  const auto row = run->step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  auto subscriber = read(*run);
  if (!subscriber) return std::unexpected(subscriber.error());
  return *std::move(subscriber);
}

Stored<ims::Subscriber> SubscriberBook::read(const Statement& row) {
  ims::Subscriber subscriber{
      .impi = std::string{row.text(1)}, .pool = std::string{row.text(8)}, .is_barred = row.number(9) != 0};
  if (!row.bytes(2).empty() || !row.bytes(3).empty())
    subscriber.digest = {.ha1_md5 = Secret{row.bytes(2)}, .ha1_sha256 = Secret{row.bytes(3)}};
  if (!row.bytes(4).empty()) {
    ims::AkaSecret aka{.k = Secret{row.bytes(4)}, .opc = Secret{row.bytes(5)}};
    if (row.bytes(6).size() == aka.amf.size()) std::copy_n(row.bytes(6).begin(), 2, aka.amf.begin());
    aka.sqn = static_cast<std::uint64_t>(row.number(7));
    subscriber.aka = std::move(aka);
  }
  const Run identities{statements_.identities};
  identities->bind(1, row.number(0));
  while (true) {
    const auto identity = identities->step();
    if (!identity) return std::unexpected(identity.error());
    if (!*identity) return subscriber;
    subscriber.impus.emplace_back(identities->text(0));
  }
}

}  // namespace turnpike::store
