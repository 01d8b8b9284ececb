#include "base/metrics.hpp"

#include <prometheus/client_metric.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <mutex>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"

namespace turnpike::metrics {
namespace {

bool is_snake_case(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
           character == '_';
  });
}

// A wrong name would spoil the whole exposition, so it is our bug at once and not a surprise at the first
// scrape.
void check_names(std::string_view name, const Labels& labels, prometheus::MetricType type) {
  check(name.starts_with("turnpike_") && is_snake_case(name), "a metric is named turnpike_in_snake_case");
  check(name.ends_with("_total") == (type == prometheus::MetricType::Counter),
        "counters alone end in _total");
  for (const auto& label : labels)
    check(is_snake_case(label.first) && !label.first.starts_with("__"), "a label has a name in snake_case");
}

class FamilyTable final : public Samples {
 public:
  using Families = std::map<std::string, prometheus::MetricFamily>;

  explicit FamilyTable(std::vector<prometheus::MetricFamily> known) {
    for (auto& family : known) families_.emplace(family.name, std::move(family));
  }

  void counter(const std::string& name, const std::string& help, const Labels& labels,
               double value) override {
    metric(name, help, labels, prometheus::MetricType::Counter).counter.value = value;
  }
  void gauge(const std::string& name, const std::string& help, const Labels& labels, double value) override {
    metric(name, help, labels, prometheus::MetricType::Gauge).gauge.value = value;
  }

  std::vector<prometheus::MetricFamily> sorted() && {
    std::vector<prometheus::MetricFamily> result;
    for (auto& [name, family] : families_) {
      std::ranges::sort(family.metric, {}, &prometheus::ClientMetric::label);
      result.push_back(std::move(family));
    }
    return result;
  }

 private:
  prometheus::ClientMetric& metric(const std::string& name, const std::string& help, const Labels& labels,
                                   prometheus::MetricType type) {
    check_names(name, labels, type);
    auto& family = families_.try_emplace(name, prometheus::MetricFamily{name, help, type, {}}).first->second;
    check(family.type == type && family.help == help, "a metric has one type and one help text");
    auto& metric = family.metric.emplace_back();
    for (const auto& [label, text] : labels) metric.label.push_back({label, text});
    return metric;
  }

  Families families_;
};

}  // namespace

void Counter::add(double amount) { counter_->Increment(amount); }

void Gauge::set(double value) { gauge_->Set(value); }
void Gauge::add(double amount) { gauge_->Increment(amount); }

struct Registry::Backend {
  prometheus::Registry registry;
  mutable std::mutex mutex;                                                     // guards what follows
  std::map<std::string, std::pair<prometheus::MetricType, std::string>> known;  // name -> type, help
  std::vector<std::function<void(Samples&)>> sources;

  void note(const std::string& name, const std::string& help, const Labels& labels,
            prometheus::MetricType type) {
    check_names(name, labels, type);
    const std::scoped_lock lock{mutex};
    const auto entry = known.try_emplace(name, type, help).first;
    check(entry->second == std::pair{type, help}, "a metric has one type and one help text");
  }
};

Registry::Registry() : backend_(std::make_unique<Backend>()) {}
Registry::~Registry() = default;

Counter Registry::counter(const std::string& name, const std::string& help, const Labels& labels) {
  backend_->note(name, help, labels, prometheus::MetricType::Counter);
  return Counter{prometheus::BuildCounter().Name(name).Help(help).Register(backend_->registry).Add(labels)};
}

Gauge Registry::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  backend_->note(name, help, labels, prometheus::MetricType::Gauge);
  return Gauge{prometheus::BuildGauge().Name(name).Help(help).Register(backend_->registry).Add(labels)};
}

void Registry::on_collect(std::function<void(Samples&)> source) {
  const std::scoped_lock lock{backend_->mutex};
  backend_->sources.push_back(std::move(source));
}

std::string Registry::serialise() const {
  FamilyTable table{backend_->registry.Collect()};
  {
    const std::scoped_lock lock{backend_->mutex};
    for (const auto& source : backend_->sources) source(table);
  }
  std::ostringstream text;
  prometheus::TextSerializer{}.Serialize(text, std::move(table).sorted());
  return std::move(text).str();
}

}  // namespace turnpike::metrics
