#include "jose/json.hpp"

#include <set>
#include <string>
#include <vector>

namespace turnpike::jose {
namespace {

// Walks through a text and stops at the first thing that is not allowed.
class Inspector : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Inspector(const JsonLimits& limits) : limits_(&limits) {}

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return enter(); }
  bool key(string_t& name) override { return names_.back().insert(name).second; }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool count() { return ++values_ <= limits_->values_max; }
  bool enter() {
    names_.emplace_back();
    return names_.size() <= limits_->depth_max && count();
  }
  bool leave() {
    names_.pop_back();
    return true;
  }

  const JsonLimits* limits_;
  std::size_t values_ = 0;
  std::vector<std::set<std::string>> names_{};  // of each object or list around the current place
};

}  // namespace

std::optional<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) return std::nullopt;
  Inspector inspector{limits};
  if (!nlohmann::json::sax_parse(text, &inspector)) return std::nullopt;
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

const std::string* find_text(const nlohmann::json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

}  // namespace turnpike::jose
