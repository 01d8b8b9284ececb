#pragma once
// Answers to challenges, passwords and cards, by the source that they come from: so many of them may fail in
// a minute. Those that the core has not judged yet might all be guesses, so that no more are under way than
// may still fail; the others wait for their turn, as those of an office whose server has restarted. Right
// ones take nothing of the budget.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/rate_budget.hpp"
#include "epcscf/register_request.hpp"

namespace turnpike::epcscf {

class LoginQueue {
 public:
  enum class Turn : std::uint8_t { now, later, never };  // never: too many have failed

  LoginQueue(std::uint32_t failures_per_minute, std::size_t waiting_per_source_max)
      : failures_(failures_per_minute, std::chrono::minutes{1}), waiting_max_(waiting_per_source_max) {}

  [[nodiscard]] Turn turn_of(const std::string& source, Instant now) const;
  // One goes to the core, and has come back.
  void begin(const std::string& source);
  void end(const std::string& source, bool has_failed, Instant now);

  // False: too many of its source wait, and the request is untouched.
  bool wait(RegisterRequest& request, const std::string& source, Instant until);
  // The one that has waited for longest.
  std::optional<RegisterRequest> take_first(const std::string& source);
  std::optional<RegisterRequest> take_overdue(Instant now);
  void forget(FlowId flow);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

 private:
  enum class Id : std::uint64_t {};
  struct Waiting {
    RegisterRequest request;
    std::string source;
    Instant until{};
  };
  struct Source {
    std::size_t under_way = 0;
    std::set<Id> waiting{};
  };
  RegisterRequest take(Id id);
  void forget_idle(const std::string& source);

  RateBudget failures_;
  std::size_t waiting_max_;
  std::map<std::string, Source, std::less<>> sources_{};  // that have any under way or waiting
  std::map<Id, Waiting> waiting_{};
  std::set<std::pair<Instant, Id>> ends_{};
  std::set<std::pair<FlowId, Id>> of_flow_{};
  std::uint64_t last_ = 0;
};

}  // namespace turnpike::epcscf
