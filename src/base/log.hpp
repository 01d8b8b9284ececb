#pragma once
// The log: one event per line, as key=value text or as JSON (one object per line). A Log is handed down by
// reference; there is no global one. It may be used from several threads at once.
// Levels by meaning: trace = every packet; debug = a path not taken; info = a change that a user sees;
// warn = somebody should look tomorrow; error = we cannot go on.
// Values are escaped, so that text from the wire cannot forge a line. A Secret is not accepted.

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace turnpike {

class Secret;

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

// A key is a literal in snake_case, checked by the compiler; `time`, `level` and `event` belong to the line
// itself.
class LogKey {
 public:
  consteval LogKey(const char* text) : text_(text) {  // implicit, so that {"relay", value} reads as it should
    if (!is_acceptable(text_)) refuse_log_key();
  }
  [[nodiscard]] constexpr std::string_view text() const { return text_; }

  static constexpr bool is_acceptable(std::string_view text) {
    if (text.empty() || text == "time" || text == "level" || text == "event") return false;
    for (const char character : text)
      if (!(character >= 'a' && character <= 'z') && !(character >= '0' && character <= '9') &&
          character != '_')
        return false;
    return true;
  }

 private:
  static void refuse_log_key();  // never defined: to reach it stops the compiler
  std::string_view text_;
};

// Views its value: meant to be written inside the call, LogField is not for keeping.
class LogField {
 public:
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  template <typename Text>
    requires std::convertible_to<const Text&, std::string_view>
  LogField(LogKey key, const Text& value) : key_(key.text()), value_(std::string_view{value}) {}
  LogField(LogKey key, std::same_as<bool> auto value) : key_(key.text()), value_(value) {}
  LogField(LogKey key, std::signed_integral auto value) : key_(key.text()), value_(std::int64_t{value}) {}
  template <std::unsigned_integral Number>
    requires(!std::same_as<Number, bool>)
  LogField(LogKey key, Number value) : key_(key.text()), value_(std::uint64_t{value}) {}
  LogField(LogKey key, std::floating_point auto value) : key_(key.text()), value_(double{value}) {}
  LogField(LogKey key, const Secret& value) = delete;

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] const Value& value() const { return value_; }

 private:
  std::string_view key_;
  Value value_;
};

class Log {
 public:
  using Fields = std::initializer_list<LogField>;
  using Sink = std::function<void(std::string_view line)>;  // a line without its end

  Log(LogLevel level_min, LogFormat format);             // to standard error
  Log(LogLevel level_min, LogFormat format, Sink sink);  // the sink is called by one thread at a time
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  void trace(std::string_view event, Fields fields = {}) { write(LogLevel::trace, event, fields); }
  void debug(std::string_view event, Fields fields = {}) { write(LogLevel::debug, event, fields); }
  void info(std::string_view event, Fields fields = {}) { write(LogLevel::info, event, fields); }
  void warn(std::string_view event, Fields fields = {}) { write(LogLevel::warn, event, fields); }
  void error(std::string_view event, Fields fields = {}) { write(LogLevel::error, event, fields); }
  void write(LogLevel level, std::string_view event, Fields fields);

  // For callers whose fields cost something to prepare.
  [[nodiscard]] bool shows(LogLevel level) const;
  void set_level_min(LogLevel level);

 private:
  struct Backend;
  std::unique_ptr<Backend> backend_;
};

}  // namespace turnpike
