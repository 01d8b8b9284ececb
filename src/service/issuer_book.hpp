#pragma once
// What the WAF knows of other issuers, and how it comes by it: their metadata (OpenID Connect Discovery) and
// their keys, fetched when they are needed first, renewed before they end, and once more when a token names a
// key that is not there. What was fetched well stays in force while a newer fetch fails.

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/http_client.hpp"
#include "service/issuer_keys.hpp"
#include "waf/provider.hpp"
#include "waf/reply.hpp"

namespace turnpike::service {

struct IssuerSource {
  std::string issuer{};
  std::string jwks_uri{};                    // empty: the metadata below the issuer have it
  std::string ca_file{};                     // PEM; empty: the system's authorities
  std::chrono::milliseconds deadline{5000};  // of each exchange with it
  bool operator==(const IssuerSource&) const = default;
};

struct IssuerBookSettings {
  IssuerKeysSettings keys{.retry_max = std::chrono::seconds{30}};
  std::chrono::seconds metadata_lifetime{3600};
  std::size_t waiting_max = 1000;   // requests that wait for one issuer
  std::size_t connections_max = 8;  // to one issuer
  std::size_t calls_waiting_max = 64;
  jose::Limits limits{};
};

// Told on the loop.
struct IssuerNews {
  std::string_view issuer{};
  std::size_t keys = 0;  // how many there are now
  std::string_view
      failure{};  // a sentence where nothing could be fetched; else its keys are others than before
};

class IssuerBook : public std::enable_shared_from_this<IssuerBook> {
 public:
  // A sentence where a file cannot be used. What an earlier book knows of the same sources is taken over.
  static std::expected<std::shared_ptr<IssuerBook>, std::string> make(
      boost::asio::io_context& loop, const std::vector<IssuerSource>& sources, IssuerBookSettings settings,
      std::function<void(const IssuerNews&)> on_news, const IssuerBook* earlier = nullptr);

  [[nodiscard]] const waf::IssuerStates& states() const { return states_; }
  // Fetches what was never fetched, so that the first login does not wait, and what is wrong shows at the
  // start.
  void warm_up();
  // `on_done` is called once, later, from the loop: after the fetch, or when there is none to be made now.
  void ensure(const waf::FetchNeeded& needed, std::function<void()> on_done);
  // An exchange with this issuer; as HttpClient has it.
  void send(std::string_view issuer, HttpRequest request, std::function<void(HttpAnswer)> on_answer);
  // Nobody is called any more.
  void close();

 private:
  struct Entry;
  IssuerBook(boost::asio::io_context& loop, IssuerBookSettings settings,
             std::function<void(const IssuerNews&)> on_news)
      : loop_(loop), settings_(settings), on_news_(std::move(on_news)) {}
  std::expected<void, std::string> add(const IssuerSource& source, const IssuerBook* earlier);
  [[nodiscard]] Entry* find(std::string_view issuer) const;
  void fetch(Entry& entry);
  void fetch_keys(Entry& entry);
  void ask(Entry& entry, const std::string& url, std::function<void(const HttpAnswer&)> on_answer);
  void on_metadata(Entry& entry, const HttpAnswer& answer);
  void on_keys(Entry& entry, const HttpAnswer& answer);
  void fail(Entry& entry, const std::string& why);
  void end_fetch(Entry& entry);
  void plan(Entry& entry);

  boost::asio::io_context& loop_;
  IssuerBookSettings settings_;
  std::function<void(const IssuerNews&)> on_news_;
  std::vector<std::shared_ptr<Entry>> entries_{};
  waf::IssuerStates states_{};
};

}  // namespace turnpike::service
