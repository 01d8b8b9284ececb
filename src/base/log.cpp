#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "base/log_line.hpp"

namespace turnpike {
namespace {

class CallbackSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit CallbackSink(Log::Sink take_line) : take_line_(std::move(take_line)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    take_line_(std::string_view{line.data(), line.size()});
  }
  void flush_() override {}

  Log::Sink take_line_;
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  return static_cast<spdlog::level::level_enum>(level);  // the first five of spdlog are ours
}
static_assert(static_cast<int>(LogLevel::trace) == spdlog::level::trace);
static_assert(static_cast<int>(LogLevel::error) == spdlog::level::err);

std::unique_ptr<spdlog::formatter> make_formatter(LogFormat format, const std::string& line_end) {
  const char* pattern =
      format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})" : "time=%Y-%m-%dT%H:%M:%S.%eZ %v";
  return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, line_end);
}

}  // namespace

struct Log::Backend {
  spdlog::logger logger;
  LogFormat format;
  std::atomic<LogLevel> level_min;

  Backend(LogLevel least, LogFormat lines, spdlog::sink_ptr sink, const std::string& line_end)
      : logger("turnpike", std::move(sink)), format(lines), level_min(least) {
    logger.set_formatter(make_formatter(lines, line_end));
    logger.set_level(spdlog::level::trace);
    logger.flush_on(spdlog::level::trace);
  }
};

Log::Log(LogLevel level_min, LogFormat format)
    : backend_(std::make_unique<Backend>(level_min, format, std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                                         "\n")) {}

Log::Log(LogLevel level_min, LogFormat format, Sink sink)
    : backend_(std::make_unique<Backend>(level_min, format, std::make_shared<CallbackSink>(std::move(sink)),
                                         "")) {}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view event, Fields fields) {
  if (!shows(level)) return;
  const bool json = backend_->format == LogFormat::json;
  backend_->logger.log(to_spdlog(level),
                       json ? format_log_json(level, event, fields) : format_log_text(level, event, fields));
}

bool Log::shows(LogLevel level) const { return level >= backend_->level_min.load(std::memory_order_relaxed); }

void Log::set_level_min(LogLevel level) { backend_->level_min.store(level, std::memory_order_relaxed); }

}  // namespace turnpike
