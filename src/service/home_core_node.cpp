#include "service/home_core_node.hpp"

#include <utility>

#include "service/alarm.hpp"

namespace turnpike::service {

class HomeCoreNode::Impl final : public SipEndpointOwner {
 public:
  Impl(ims::Settings settings, ims::Subscribers& subscribers, HomeCoreObserver& observer)
      : observer_(observer),
        core_(std::move(settings), subscribers, random_),
        alarm_(loop_, [this] { on_alarm(); }) {}
  ~Impl() override { loop_.stop(); }

  std::expected<void, std::string> open(SipEndpointSettings settings,
                                        const std::vector<std::string>& trusted_nodes) {
    auto opened = SipEndpoint::open(loop_, std::move(settings), *this);
    if (!opened) return std::unexpected("the home core: " + opened.error());
    endpoint_ = std::move(*opened);
    endpoint_->know(trusted_nodes);
    return {};
  }

  void on_sip_message(const sip::Hop& from, std::string_view text) override {
    turn([&](Now now) { core_.on_message(from, text, now); });
  }
  void on_sip_failed(const sip::Hop& to) override {
    turn([&](Now now) { core_.on_hop_failed(to, now); });
  }

  // One turn of the loop: the clocks are read, the machine is told, and what it wants is done.
  template <typename Input>
  void turn(Input&& input) {
    const Now now = read_clocks();
    input(now);
    while (auto effect = core_.next_effect()) obey(std::move(*effect), now);
    alarm_.set(core_.next_timeout(), now.mono);
  }
  void ask(FunctionRef<void(Now)> input) {
    const auto work = [&] { turn(input); };
    if (!loop_.ask(work)) work();  // the loop does not run: nobody else uses the machine
  }

  Loop& loop() { return loop_; }
  ims::HomeCore& core() { return core_; }
  SipEndpoint& endpoint() { return *endpoint_; }

 private:
  void on_alarm() {
    turn([&](Now now) { core_.on_timeout(now); });
  }
  void obey(ims::Effect effect, Now now) {
    if (auto* send = std::get_if<ims::SendTo>(&effect))
      endpoint_->send(send->to, std::move(send->bytes));
    else if (const auto* registration = std::get_if<ims::RegistrationReport>(&effect))
      observer_.on_registration(*registration, now);
    else if (const auto* refusal = std::get_if<ims::RefusalReport>(&effect))
      observer_.on_refusal(*refusal, now);
  }

  HomeCoreObserver& observer_;
  Loop loop_{};
  SystemRandom random_{};
  ims::HomeCore core_;
  Alarm alarm_;
  std::unique_ptr<SipEndpoint> endpoint_{};
};

std::expected<std::unique_ptr<HomeCoreNode>, std::string> HomeCoreNode::open(HomeCoreSettings settings,
                                                                             ims::Subscribers& subscribers,
                                                                             HomeCoreObserver& observer) {
  const auto trusted_nodes = settings.core.trusted_nodes;
  auto impl = std::make_unique<Impl>(std::move(settings.core), subscribers, observer);
  if (auto opened = impl->open(std::move(settings.endpoint), trusted_nodes); !opened)
    return std::unexpected(std::move(opened.error()));
  return std::unique_ptr<HomeCoreNode>{new HomeCoreNode{std::move(impl)}};
}

HomeCoreNode::HomeCoreNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HomeCoreNode::~HomeCoreNode() = default;

void HomeCoreNode::start() { impl_->loop().start("home-core"); }
void HomeCoreNode::stop() { impl_->loop().stop(); }

bool HomeCoreNode::deregister(std::string_view impi) {
  bool was_there = false;
  impl_->ask(
      [&](Now now) { was_there = impl_->core().deregister(impi, ims::ContactEvent::deactivated, now); });
  return was_there;
}

ims::Counters HomeCoreNode::counters() {
  ims::Counters counters;
  impl_->ask([&](Now) { counters = impl_->core().counters(); });
  return counters;
}

const std::vector<SipListener>& HomeCoreNode::listeners() const { return impl_->endpoint().listeners(); }

}  // namespace turnpike::service
