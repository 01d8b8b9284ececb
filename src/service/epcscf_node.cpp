#include "service/epcscf_node.hpp"

#include <future>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "service/alarm.hpp"

namespace turnpike::service {
namespace {

// Whose messages are the core's.
std::vector<std::string> core_hosts_of(const epcscf::Settings& settings) {
  std::vector<std::string> hosts = settings.trusted_core;
  hosts.push_back(settings.core.host);
  return hosts;
}

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

class EpcscfNode::Impl final : public DoorOwner, public SipEndpointOwner {
 public:
  Impl(epcscf::Settings settings, EpcscfObserver& observer)
      : observer_(observer), proxy_(std::move(settings), random_), alarm_(loop_, [this] { on_alarm(); }) {}
  ~Impl() override { loop_.stop(); }

  std::expected<void, std::string> open(DoorSettings door, SipEndpointSettings core,
                                        const std::vector<std::string>& core_hosts);
  void start(const EpcscfPorts& ports);
  void stop();

  void on_client_connected(epcscf::FlowId flow, const epcscf::ClientInfo& info) override {
    turn([&](Now now) { proxy_.on_client_connected(flow, info, now); });
  }
  void on_client_message(epcscf::FlowId flow, std::string_view text) override {
    turn([&](Now now) { proxy_.on_client_message(flow, text, now); });
  }
  void on_client_closed(epcscf::FlowId flow, DoorEnd /*end*/) override {
    turn([&](Now now) { proxy_.on_client_closed(flow, now); });
  }
  void on_client_refused(const SocketAddress& remote, DoorRefusal refusal) override {
    observer_.on_client_refused(remote, refusal, read_clocks());
  }
  void on_sip_message(const sip::Hop& from, std::string_view text) override {
    turn([&](Now now) { proxy_.on_core_message(from, text, now); });
  }
  void on_sip_failed(const sip::Hop& to) override {
    turn([&](Now now) {
      observer_.on_core_failed(to, now);
      proxy_.on_core_failed(to, now);
    });
  }

  // One turn of the loop: the clocks are read, the machine is told, and what it wants is done.
  template <typename Input>
  void turn(Input&& input) {
    const Now now = read_clocks();
    input(now);
    while (auto effect = proxy_.next_effect()) obey(std::move(*effect), now);
    alarm_.set(proxy_.next_timeout(), now.mono);
  }
  // A turn on behalf of another thread, which waits.
  void ask(FunctionRef<void(Now)> input) {
    const auto work = [&] { turn(input); };
    if (!loop_.ask(work)) work();  // the loop does not run: nobody else uses the machine
  }

  Loop& loop() { return loop_; }
  epcscf::Proxy& proxy() { return proxy_; }
  Door& door() { return *door_; }
  SipEndpoint& core() { return *core_; }

 private:
  void on_alarm() {
    turn([&](Now now) { proxy_.on_timeout(now); });
  }
  void obey(epcscf::Effect effect, Now now);
  void push(const epcscf::PushCredential& push);
  void check_token(epcscf::CheckToken check);

  EpcscfObserver& observer_;
  Loop loop_{};
  SystemRandom random_{};
  epcscf::Proxy proxy_;
  Alarm alarm_;
  std::unique_ptr<Door> door_{};
  std::unique_ptr<SipEndpoint> core_{};
  EpcscfPorts ports_{};
  bool is_running_ = false;
};

std::expected<void, std::string> EpcscfNode::Impl::open(DoorSettings door, SipEndpointSettings core,
                                                        const std::vector<std::string>& core_hosts) {
  auto opened_core = SipEndpoint::open(loop_, std::move(core), *this);
  if (!opened_core) return std::unexpected("the core's side: " + opened_core.error());
  core_ = std::move(*opened_core);
  core_->know(core_hosts);
  auto opened_door = Door::open(loop_, std::move(door), *this);
  if (!opened_door) return std::unexpected("the door of the eP-CSCF: " + opened_door.error());
  door_ = std::move(*opened_door);
  return {};
}

void EpcscfNode::Impl::start(const EpcscfPorts& ports) {
  ports_ = ports;
  is_running_ = true;
  loop_.start("epcscf");
}

void EpcscfNode::Impl::stop() {
  if (!std::exchange(is_running_, false)) return loop_.stop();
  std::promise<void> stopped;
  loop_.post([&] { door_->stop([&] { stopped.set_value(); }); });
  stopped.get_future().wait();
  loop_.stop();
}

void EpcscfNode::Impl::obey(epcscf::Effect effect, Now now) {
  std::visit(
      Overloaded{[&](epcscf::SendToClient& send) { (void)door_->send(send.flow, std::move(send.bytes)); },
                 [&](epcscf::CloseClient& close) { door_->close(close.flow, close.reason); },
                 [&](epcscf::SendToCore& send) { core_->send(send.to, std::move(send.bytes)); },
                 [&](epcscf::PushCredential& wanted) { push(wanted); },
                 [&](epcscf::RevokeCredentials& revoke) {
                   if (ports_.relays == nullptr) return;
                   ports_.relays->revoke(revoke.revocation, [this](bool is_done) {
                     observer_.on_revoked(is_done, read_clocks());
                   });
                 },
                 [&](epcscf::CheckToken& check) { check_token(std::move(check)); },
                 [&](epcscf::Report& report) { observer_.on_report(report, now); }},
      effect);
}

void EpcscfNode::Impl::push(const epcscf::PushCredential& push) {
  auto answer = [this, id = push.id](bool is_done) {
    turn([&](Now now) { proxy_.on_push_done(id, is_done, now); });
  };
  if (ports_.relays == nullptr) return loop_.post([answer]() mutable { answer(false); });
  ports_.relays->put(push.credential, answer);
}

void EpcscfNode::Impl::check_token(epcscf::CheckToken check) {
  auto answer = [this, id = check.id](const epcscf::TokenAnswer& found) {
    turn([&](Now now) { proxy_.on_token_checked(id, found, now); });
  };
  if (ports_.tokens == nullptr)
    return loop_.post([answer]() mutable { answer(std::unexpected(epcscf::TokenRefusal::invalid)); });
  ports_.tokens->check(std::move(check.token), answer);
}

std::expected<std::unique_ptr<EpcscfNode>, std::string> EpcscfNode::open(EpcscfSettings settings,
                                                                         EpcscfObserver& observer) {
  const auto core_hosts = core_hosts_of(settings.proxy);
  auto impl = std::make_unique<Impl>(std::move(settings.proxy), observer);
  if (auto opened = impl->open(std::move(settings.door), std::move(settings.core), core_hosts); !opened)
    return std::unexpected(std::move(opened.error()));
  return std::unique_ptr<EpcscfNode>{new EpcscfNode{std::move(impl)}};
}

EpcscfNode::EpcscfNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EpcscfNode::~EpcscfNode() { impl_->stop(); }

Loop& EpcscfNode::loop() { return impl_->loop(); }
void EpcscfNode::start(const EpcscfPorts& ports) { impl_->start(ports); }
void EpcscfNode::revoke(epcscf::RevokedToken token) {
  impl_->loop().post(
      [this, token = std::move(token)] { impl_->turn([&](Now now) { impl_->proxy().revoke(token, now); }); });
}
void EpcscfNode::offer(std::vector<std::string> uris) { impl_->proxy().offer(std::move(uris)); }
void EpcscfNode::drain() {
  impl_->loop().post([this] { impl_->door().stop_accepting(); });
}
void EpcscfNode::stop() { impl_->stop(); }

void EpcscfNode::reconfigure(epcscf::Settings settings) {
  impl_->ask([&](Now) {
    impl_->core().know(core_hosts_of(settings));
    impl_->proxy().reconfigure(std::move(settings));
  });
}

std::expected<void, std::string> EpcscfNode::reload_certificate(const std::string& certificate,
                                                                const std::string& key) {
  std::expected<void, std::string> outcome;
  impl_->ask([&](Now) { outcome = impl_->door().reload_certificate(certificate, key); });
  return outcome;
}

std::vector<epcscf::RegistrationView> EpcscfNode::registrations(std::size_t max) {
  std::vector<epcscf::RegistrationView> views;
  impl_->ask([&](Now now) { views = impl_->proxy().registrations(max, now); });
  return views;
}

std::size_t EpcscfNode::deregister(std::string_view impi) {
  std::size_t ended = 0;
  impl_->ask([&](Now now) { ended = impl_->proxy().deregister(impi, now); });
  return ended;
}

epcscf::Counters EpcscfNode::counters() {
  epcscf::Counters counters;
  impl_->ask([&](Now) { counters = impl_->proxy().counters(); });
  return counters;
}

const std::vector<DoorListener>& EpcscfNode::listeners() const { return impl_->door().listeners(); }
const std::vector<SipListener>& EpcscfNode::core_listeners() const { return impl_->core().listeners(); }
const DoorCounts& EpcscfNode::door_counts() const { return impl_->door().counts(); }
const SipEndpointCounts& EpcscfNode::core_counts() const { return impl_->core().counts(); }

}  // namespace turnpike::service
