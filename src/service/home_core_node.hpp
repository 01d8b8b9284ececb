#pragma once
// HomeCoreNode is the embedded home core with its sockets: one loop with an endpoint and the machine.

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ims/home_core.hpp"
#include "service/sip_endpoint.hpp"

namespace turnpike::service {

struct HomeCoreSettings {
  SipEndpointSettings endpoint{};
  ims::Settings core{};
};

// Told on the node's thread; must be quick, and must not call the node.
class HomeCoreObserver {
 public:
  virtual ~HomeCoreObserver() = default;
  virtual void on_registration(const ims::RegistrationReport& report, Now now) = 0;
  virtual void on_refusal(const ims::RefusalReport& report, Now now) = 0;
};

class HomeCoreNode {
 public:
  // Opens every socket; nobody is served before start(). The error is one line. Subscribers are asked on the
  // node's thread alone, and outlive the node, as the observer does.
  static std::expected<std::unique_ptr<HomeCoreNode>, std::string> open(HomeCoreSettings settings,
                                                                        ims::Subscribers& subscribers,
                                                                        HomeCoreObserver& observer);
  ~HomeCoreNode();  // stops
  HomeCoreNode(const HomeCoreNode&) = delete;
  HomeCoreNode& operator=(const HomeCoreNode&) = delete;

  void start();
  void stop();

  // --- from the thread that has started it ---
  // Ends all bindings; the user may register again at once. False when there was none.
  bool deregister(std::string_view impi);
  ims::Counters counters();
  [[nodiscard]] const std::vector<SipListener>& listeners() const;

  class Impl;

 private:
  explicit HomeCoreNode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::service
