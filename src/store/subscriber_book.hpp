#pragma once
// SubscriberBook is the subscribers of the home core in a SQLite file, which several processes may have open:
// a server reads it while an operator adds to it.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "ims/subscribers.hpp"
#include "store/database.hpp"

namespace turnpike::store {

const Schema& subscriber_schema();

class SubscriberBook final : public ims::Subscribers {
 public:
  // What was read of a subscriber is good for `trusted_for` without asking the file whether another process
  // has changed it since.
  static Stored<SubscriberBook> open(const std::string& file, const StoreLimits& limits = {},
                                     std::chrono::milliseconds trusted_for = std::chrono::milliseconds{0});

  // Each has no problem (ims::find_problem). All of them or, where one is there already, none; the error then
  // names its identity.
  Stored<void> add(const std::vector<ims::Subscriber>& subscribers);
  Stored<void> add(const ims::Subscriber& subscriber) { return add(std::vector{subscriber}); }
  // False when there is none.
  Stored<bool> remove(std::string_view impi);
  // Ordered by private identity.
  Stored<std::vector<ims::Subscriber>> list();

  // --- what the home core asks ---
  std::optional<ims::Subscriber> find_private(std::string_view impi) override;
  std::optional<ims::Subscriber> find_public(std::string_view impu) override;
  bool store_sqn(std::string_view impi, std::uint64_t sqn) override;
  std::uint64_t version() override;
  [[nodiscard]] bool has_failed() const override { return last_error_.has_value(); }
  // Why the last question was not answered.
  [[nodiscard]] const std::optional<StoreError>& last_error() const { return last_error_; }

 private:
  struct Statements {
    Statement find_private;
    Statement find_public;
    Statement identities;
    Statement store_sqn;
    Statement add_subscriber;
    Statement add_identity;
    Statement remove;
    Statement list;
    Statement version;
  };
  SubscriberBook(Database database, Statements statements, std::chrono::milliseconds trusted_for)
      : database_(std::move(database)), statements_(std::move(statements)), trusted_for_(trusted_for) {}
  static constexpr std::size_t remembered_max = 1024;

  // Forgets what was remembered if anybody has changed the file since.
  Stored<void> look_for_changes();
  Stored<std::optional<ims::Subscriber>> find(Statement& statement, std::string_view identity);
  Stored<ims::Subscriber> read(const Statement& row);
  Stored<void> write(const ims::Subscriber& subscriber);
  std::optional<ims::Subscriber> answer(Stored<std::optional<ims::Subscriber>> found);

  Database database_;
  Statements statements_;
  std::chrono::milliseconds trusted_for_;
  Instant trusted_until_{};
  std::optional<StoreError> last_error_;
  // A registration asks for the same subscriber twice within milliseconds. By private identity, as of the
  // version.
  std::map<std::string, ims::Subscriber, std::less<>> remembered_;
  std::int64_t version_ = 0;
};

}  // namespace turnpike::store
