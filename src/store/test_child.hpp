#pragma once
// For tests: processes that write, and are killed in the middle of it.

#include <gtest/gtest.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/random.hpp"
#include "store/test_ledger.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::store {

// Another process, until it is killed.
class Child {
 public:
  // `work` calls what it is given after each step that is done.
  explicit Child(const std::function<void(const std::function<void()>&)>& work) {
    std::array<int, 2> ends{};
    check(::pipe(ends.data()) == 0, "there are pipes");
    process_ = ::fork();
    check(process_ >= 0, "there are processes");
    if (process_ == 0) {
      work([&] {
        if (::write(ends[1], "x", 1) != 1) ::_exit(1);
      });
      ::_exit(0);
    }
    ::close(ends[1]);
    reports_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { ::close(reports_); }

  bool wait_for_report() {
    char report = 0;
    const bool has_come = ::read(reports_, &report, 1) == 1;
    count_ += has_come ? 1 : 0;
    return has_come;
  }
  // For a report, so long at most.
  void wait_for_report(std::chrono::microseconds longest) {
    timeval left{.tv_sec = 0, .tv_usec = longest.count()};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(reports_, &set);
    ::select(reports_ + 1, &set, nullptr, nullptr, &left);
  }
  // How many steps it has reported in all.
  int kill() {
    ::kill(process_, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(process_, &status, 0), process_);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "it did not end by itself";
    while (wait_for_report()) {
    }
    return count_;
  }

 private:
  pid_t process_ = 0;
  int reports_ = 0;
  int count_ = 0;
};

using Step = void (*)(WafLedger& ledger, const std::string& name);

// Children that take all steps for one name after the other, each killed soon after another one of them. How
// many each reported.
inline std::vector<int> kill_at_random(const std::string& file, std::span<const Step> steps, Random& random) {
  std::vector<int> done;
  for (std::size_t round = 0; round < std::max<std::size_t>(steps.size(), 16); ++round) {
    Child child{[&](const std::function<void()>& report) {
      const auto ledger = open(file);
      for (std::size_t i = 0;; ++i) {
        steps[i % steps.size()](*ledger, std::to_string(round) + "-" + std::to_string(i / steps.size()));
        if (ledger->take_failure()) ::_exit(2);
        report();
      }
    }};
    const std::size_t names = random.below(2);
    for (std::size_t left = 1 + round % steps.size() + names * steps.size(); left > 0; --left)
      if (!child.wait_for_report()) break;
    child.wait_for_report(std::chrono::microseconds{random.below(2000)});
    done.push_back(child.kill());
  }
  return done;
}
// Each name of theirs, and how many of its steps were reported; the next one may have happened, whole.
inline void for_each_name(std::span<const int> done, int steps_max,
                          const std::function<void(const std::string& name, int done)>& look) {
  for (std::size_t round = 0; round < done.size(); ++round)
    for (int i = 0; i <= done[round] / steps_max; ++i)
      look(std::to_string(round) + "-" + std::to_string(i), std::min(done[round] - i * steps_max, steps_max));
}

// A file as its witnesses see it afterwards: the ledger by its own calls, and the rows behind them.
struct Rows {
  WafLedger& ledger;
  Database& database;

  // The number of the first row, of which the name is the parameter; -1: there is none.
  [[nodiscard]] std::int64_t ask(const std::string& sql, std::string_view name) const {
    auto statement = database.prepare(sql);
    check(statement.has_value(), "the question is SQL");
    return statement->bind(1, name).step().value_or(false) ? statement->number(0) : -1;
  }
  [[nodiscard]] bool has(const std::string& id) const { return ledger.find_issued(id, now).has_value(); }
};

// Kills all of them, and asks a `Witness`, which is Rows, of each name what it expects after so many steps.
template <typename Witness>
void expect_nothing_lost(std::span<const Step> steps, std::uint64_t seed) {
  const Folder folder;
  const std::string file = folder.file("waf.db");
  SeededRandom random{seed};
  const std::vector<int> done = kill_at_random(file, steps, random);
  const auto ledger = open(file);
  auto database = Database::open(file, waf_schema());
  ASSERT_TRUE(database);
  for_each_name(done, static_cast<int>(steps.size()), [&](const std::string& name, int of_it) {
    Witness{{*ledger, *database}}.expect(name, of_it);
  });
  EXPECT_TRUE(database->verify());
  EXPECT_EQ(ledger->take_failure().value_or("none"), "none");
}

}  // namespace turnpike::store
