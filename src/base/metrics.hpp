#pragma once
// Metrics, in the text exposition format that Prometheus reads. A Registry is handed down by reference; it
// may be used from several threads at once. Names are turnpike_noun_state (turnpike_allocations_active);
// counters end in _total. A name has one type and one help text; a label value never holds a client's
// address, a user name or anything secret.

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace prometheus {
class Counter;
class Gauge;
}  // namespace prometheus

namespace turnpike::metrics {

using Labels = std::map<std::string, std::string>;

// Handles: cheap to copy, valid as long as their registry.
class Counter {
 public:
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}  // for the registry
  void add(double amount = 1);

 private:
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}  // for the registry
  void set(double value);
  void add(double amount = 1);

 private:
  prometheus::Gauge* gauge_;
};

// Values that somebody else counts (the shards of the relay) and hands over when they are asked for.
class Samples {
 public:
  virtual ~Samples() = default;
  virtual void counter(const std::string& name, const std::string& help, const Labels& labels,
                       double value) = 0;
  virtual void gauge(const std::string& name, const std::string& help, const Labels& labels,
                     double value) = 0;
};

class Registry {
 public:
  Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  // The same name with the same labels gives the same metric again.
  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});

  // Called in each serialise(), by its thread. A source must not use this registry.
  void on_collect(std::function<void(Samples&)> source);

  // Families by name, metrics by labels: the same values give the same text.
  [[nodiscard]] std::string serialise() const;

 private:
  struct Backend;
  std::unique_ptr<Backend> backend_;
};

}  // namespace turnpike::metrics
