#include "turn/client.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "stun/channel_data.hpp"
#include "turn/client_authenticator.hpp"
#include "turn/client_request.hpp"
#include "turn/client_upkeep.hpp"

namespace turnpike::turn {
namespace {

using std::chrono::seconds;
using stun::AttributeType;
using stun::Method;

constexpr seconds lifetime_default{600};
constexpr int final_wait_in_rto = 16;  // Rm of RFC 8489 section 6.2.1
constexpr int challenges_max = 2;      // 401 per request: one to learn the realm, one for a changed realm
constexpr int stale_nonces_max = 4;    // 438 in a row
constexpr std::size_t peers_per_request = 16;
constexpr std::size_t idle_capacity = 8;  // effects whose memory is kept

// Attribute numbers up to here were assigned by the STUN and TURN documents, old ones included; what is above
// and still required would change the meaning of an answer in a way that we cannot know.
constexpr std::uint16_t required_attribute_max = 0x0030;

struct Transaction {
  stun::TransactionId id{};
  ClientRequest request;
  ClientProtection protection;
  ByteVector bytes;
  Instant next_at{};
  int transmissions = 0;
  int challenges = 0;
  int stale_nonces = 0;
  std::uint16_t unauthentic_code = 0;
  bool has_unauthentic_answer = false;
};

// What a server answers before it has found the key carries no integrity (RFC 8489 section 9.2.4).
bool may_lack_integrity(std::uint16_t code) {
  return code == 400 || code == 401 || code == 420 || code == 438;
}

}  // namespace

class Client::Impl {
 public:
  Impl(ClientSettings settings, Random& random)
      : authenticator_(std::move(settings.credential), settings.password_algorithms,
                       settings.username_anonymity),
        settings_(std::move(settings)),
        random_(&random) {}

  void discover(Now now) { send_request({.method = Method::binding}, now); }
  void start(Now now);
  void permit(std::vector<SocketAddress> peers, Now now);
  std::uint16_t bind_channel(const SocketAddress& peer, Now now);
  void send(const SocketAddress& peer, Bytes payload);
  void refresh(seconds lifetime, Now now) {
    send_request({.method = Method::refresh, .lifetime = lifetime}, now);
  }
  void change_credential(ClientCredential credential) {
    authenticator_.change_credential(std::move(credential));
  }
  void close(Now now);
  void on_datagram(Bytes datagram, Now now);
  void on_timeout(Now now);
  std::optional<ClientEffect> next_effect();
  std::optional<Instant> next_timeout();
  bool is_allocated() const { return state_ == State::allocated; }
  bool is_idle() const { return transactions_.empty(); }
  const ServerDescription& server() const { return authenticator_.server(); }

 private:
  enum class State : std::uint8_t { idle, allocating, allocated, closing };

  // --- transactions
  void send_request(ClientRequest request, Now now);
  void begin(Transaction transaction, Now now);
  void transmit(Transaction& transaction, Now now);
  void on_transaction_timeout(std::size_t index, Now now);
  void on_answer(const stun::Message& answer, Now now);
  void on_error(Transaction transaction, const stun::Message& answer, Now now);
  void on_challenge(Transaction transaction, const stun::Message& answer, ClientFailure failure, Now now);
  void on_success(Transaction transaction, const stun::Message& answer, Now now);

  // --- what answers mean
  void on_allocated(const ClientRequest& request, const stun::Message& answer, Now now);
  void on_refreshed(const ClientRequest& request, const stun::Message& answer, Now now);
  void fail(const ClientRequest& request, ClientFailure failure);
  void forget_allocation();

  // --- upkeep
  void set_lifetime(seconds lifetime, Now now);
  void ask_permissions(const std::vector<SocketAddress>& peers, Now now);
  void ask_channel(const ClientChannel& channel, Now now);
  void keep_alive(Now now);

  // --- data
  void on_channel_data(Bytes datagram);
  void on_data_indication(const stun::Message& indication);

  void emit(ClientEffect effect) { effects_.push_back(std::move(effect)); }

  ClientAuthenticator authenticator_;
  ClientSettings settings_;  // its credential has moved into the authenticator
  Random* random_;
  State state_ = State::idle;
  Instant expires_at_{};
  std::optional<Instant> refresh_at_;
  ClientUpkeep upkeep_;
  std::vector<Transaction> transactions_;
  std::vector<ClientEffect> effects_;
  std::size_t effects_drained_ = 0;
  std::optional<Instant> timeout_;
  bool is_timeout_known_ = false;
};

// --- inputs -----------------------------------------------------------------------------------------------

void Client::Impl::start(Now now) {
  if (state_ != State::idle) return;
  state_ = State::allocating;
  send_request({.method = Method::allocate, .lifetime = settings_.lifetime}, now);
}

void Client::Impl::permit(std::vector<SocketAddress> peers, Now now) {
  for (const SocketAddress& peer : peers) upkeep_.want_permission(peer);
  if (state_ == State::allocated) ask_permissions(peers, now);
}

std::uint16_t Client::Impl::bind_channel(const SocketAddress& peer, Now now) {
  const ClientChannel channel = upkeep_.want_channel(peer);
  if (state_ == State::allocated) ask_channel(channel, now);
  return channel.number;
}

void Client::Impl::send(const SocketAddress& peer, Bytes payload) {
  if (const auto channel = upkeep_.find_bound_channel(peer)) {
    emit(ClientSend{encode_channel_data(*channel, payload)});
    return;
  }
  ByteVector bytes = encode_send_indication(peer, payload, settings_.dont_fragment,
                                            random_->draw<sizeof(stun::TransactionId)>());
  if (!bytes.empty()) emit(ClientSend{std::move(bytes)});
}

void Client::Impl::close(Now now) {
  const bool was_asked_with_credential =
      std::any_of(transactions_.begin(), transactions_.end(), [](const Transaction& transaction) {
        return transaction.request.method == Method::allocate && transaction.protection.is_used();
      });
  transactions_.clear();
  const bool may_exist = state_ == State::allocated || was_asked_with_credential;
  forget_allocation();
  if (!may_exist) {
    emit(Refreshed{seconds{0}});
    return;
  }
  state_ = State::closing;
  send_request({.method = Method::refresh, .lifetime = seconds{0}}, now);
}

void Client::Impl::on_datagram(Bytes datagram, Now now) {
  if (datagram.empty()) return;
  if (stun::looks_like_channel_data(datagram[0])) {
    on_channel_data(datagram);
    return;
  }
  const auto message = stun::Message::decode(datagram);
  if (!message) return;
  // RFC 8489 section 7.3: a FINGERPRINT that does not fit means that this is not STUN.
  if (message->has(AttributeType::fingerprint) && !message->verify_fingerprint()) return;
  switch (message->message_class()) {
    case stun::Class::success:
    case stun::Class::error:
      on_answer(*message, now);
      return;
    case stun::Class::indication:
      if (message->method() == Method::data) on_data_indication(*message);
      return;
    case stun::Class::request:
      return;
  }
}

void Client::Impl::on_timeout(Now now) {
  is_timeout_known_ = false;
  for (std::size_t i = transactions_.size(); i-- > 0;)
    if (transactions_[i].next_at <= now.mono) on_transaction_timeout(i, now);
  if (state_ == State::allocated) keep_alive(now);
}

// --- outputs ----------------------------------------------------------------------------------------------

std::optional<ClientEffect> Client::Impl::next_effect() {
  if (effects_drained_ < effects_.size()) return std::move(effects_[effects_drained_++]);
  effects_drained_ = 0;
  effects_.clear();
  if (effects_.capacity() > idle_capacity) effects_ = {};
  return std::nullopt;
}

std::optional<Instant> Client::Impl::next_timeout() {
  if (is_timeout_known_) return timeout_;
  is_timeout_known_ = true;
  timeout_.reset();
  const auto consider = [this](Instant at) { timeout_ = timeout_ ? std::min(*timeout_, at) : at; };
  for (const Transaction& transaction : transactions_) consider(transaction.next_at);
  if (state_ != State::allocated) return timeout_;
  consider(refresh_at_.value_or(expires_at_));
  if (const auto due = upkeep_.next_due()) consider(*due);
  return timeout_;
}

// --- transactions -----------------------------------------------------------------------------------------

void Client::Impl::send_request(ClientRequest request, Now now) {
  Transaction transaction;
  transaction.request = std::move(request);
  begin(std::move(transaction), now);
}

void Client::Impl::begin(Transaction transaction, Now now) {
  transaction.id = random_->draw<sizeof(stun::TransactionId)>();
  EncodedRequest encoded = encode_request(transaction.request, settings_, authenticator_, transaction.id);
  transaction.bytes = std::move(encoded.bytes);
  transaction.protection = encoded.protection;
  transaction.transmissions = 0;
  transaction.has_unauthentic_answer = false;
  transmit(transaction, now);
  transactions_.push_back(std::move(transaction));
}

// RFC 8489 section 6.2.1: sent at 0, RTO, 3 RTO, 7 RTO, ... and given up 16 RTO after the last.
void Client::Impl::transmit(Transaction& transaction, Now now) {
  is_timeout_known_ = false;
  ++transaction.transmissions;
  const bool is_last = transaction.transmissions >= settings_.transmissions_max;
  const int doublings = std::min(transaction.transmissions - 1, 16);
  transaction.next_at = now.mono + settings_.rto * (is_last ? final_wait_in_rto : 1 << doublings);
  emit(Traced{.direction = Traced::Direction::sent,
              .method = transaction.request.method,
              .message_class = stun::Class::request,
              .transmission = transaction.transmissions});
  emit(ClientSend{transaction.bytes});
}

void Client::Impl::on_transaction_timeout(std::size_t index, Now now) {
  Transaction& transaction = transactions_[index];
  if (transaction.transmissions < settings_.transmissions_max) {
    transmit(transaction, now);
    return;
  }
  const Transaction ended = std::move(transaction);
  transactions_.erase(transactions_.begin() + static_cast<std::ptrdiff_t>(index));
  const auto kind =
      ended.has_unauthentic_answer ? ClientFailure::Kind::unauthentic_answer : ClientFailure::Kind::no_answer;
  fail(ended.request, {.kind = kind, .method = ended.request.method, .code = ended.unauthentic_code});
}

void Client::Impl::on_answer(const stun::Message& answer, Now now) {
  const auto id = answer.transaction_id();
  const auto found = std::find_if(transactions_.begin(), transactions_.end(),
                                  [&](const Transaction& candidate) { return candidate.id == id; });
  if (found == transactions_.end() || found->request.method != answer.method()) return;
  const bool is_error = answer.message_class() == stun::Class::error;
  const auto error = is_error ? answer.error_code() : stun::Field<stun::ErrorValue>::absent();
  const std::uint16_t code = error ? error->code : std::uint16_t{0};
  const bool is_authentic = authenticator_.is_authentic(answer, found->protection);
  const bool is_accepted = is_authentic || (is_error && may_lack_integrity(code));
  emit(Traced{.direction = Traced::Direction::received,
              .method = answer.method(),
              .message_class = answer.message_class(),
              .code = code,
              .authentic = is_accepted});
  if (!is_accepted) {  // RFC 8489 section 9.2.5: as if it had never been received
    found->has_unauthentic_answer = true;
    found->unauthentic_code = code;
    return;
  }
  is_timeout_known_ = false;
  Transaction transaction = std::move(*found);
  transactions_.erase(found);
  authenticator_.describe_server(answer);
  if (is_authentic && transaction.protection.is_used()) authenticator_.learn_from(answer);
  if (is_error)
    on_error(std::move(transaction), answer, now);
  else
    on_success(std::move(transaction), answer, now);
}

void Client::Impl::on_error(Transaction transaction, const stun::Message& answer, Now now) {
  ClientFailure failure{.kind = ClientFailure::Kind::refused, .method = answer.method()};
  const auto error = answer.error_code();
  if (!error) {
    failure.kind = ClientFailure::Kind::malformed_answer;
    fail(transaction.request, std::move(failure));
    return;
  }
  failure.code = error->code;
  failure.reason = error->reason.substr(0, error->reason.find('\0'));
  if (const auto alternate = answer.address(AttributeType::alternate_server)) failure.alternate = *alternate;
  if (transaction.request.method != Method::binding && (failure.code == 401 || failure.code == 438))
    on_challenge(std::move(transaction), answer, std::move(failure), now);
  else
    fail(transaction.request, std::move(failure));
}

void Client::Impl::on_challenge(Transaction transaction, const stun::Message& answer, ClientFailure failure,
                                Now now) {
  const bool is_stale = failure.code == 438;
  if (const auto adopted = authenticator_.adopt_challenge(answer); !adopted) {
    // A refusal of what we showed stays the server's refusal, even when its challenge is incomplete.
    const bool is_plain_refusal = transaction.protection.is_used() && !is_stale &&
                                  adopted.error() == ClientFailure::Kind::malformed_answer;
    if (!is_plain_refusal) failure.kind = adopted.error();
    fail(transaction.request, std::move(failure));
    return;
  }
  int& count = is_stale ? transaction.stale_nonces : transaction.challenges;
  ++count;
  // RFC 8489 section 9.2.5: the same credential is not shown twice to the same realm.
  const bool is_hopeless =
      is_stale ? count > stale_nonces_max
               : count > challenges_max || !authenticator_.has_news_for(transaction.protection);
  if (is_hopeless)
    fail(transaction.request, std::move(failure));
  else
    begin(std::move(transaction), now);
}

void Client::Impl::on_success(Transaction transaction, const stun::Message& answer, Now now) {
  const auto unknown = answer.unknown_required(
      [](AttributeType type) { return std::to_underlying(type) <= required_attribute_max; });
  const ClientRequest& request = transaction.request;
  if (unknown.count > 0) {  // RFC 8489 section 6.3.3
    fail(request, {.kind = ClientFailure::Kind::malformed_answer, .method = request.method});
    return;
  }
  switch (request.method) {
    case Method::binding: {
      auto mapped = answer.xor_address(AttributeType::xor_mapped_address);
      if (!mapped) mapped = answer.address(AttributeType::mapped_address);
      if (mapped)
        emit(Discovered{*mapped});
      else
        fail(request, {.kind = ClientFailure::Kind::malformed_answer, .method = request.method});
      return;
    }
    case Method::allocate:
      on_allocated(request, answer, now);
      return;
    case Method::refresh:
      on_refreshed(request, answer, now);
      return;
    case Method::create_permission:
      upkeep_.keep_permissions(request.peers, now.mono);
      emit(Permitted{request.peers});
      return;
    case Method::channel_bind:
      upkeep_.keep_channel(request.channel, now.mono);
      emit(ChannelBound{request.channel, request.peers.front()});
      return;
    default:
      return;
  }
}

// --- what answers mean ------------------------------------------------------------------------------------

void Client::Impl::on_allocated(const ClientRequest& request, const stun::Message& answer, Now now) {
  Allocated allocated;
  bool is_malformed = false;
  answer.for_each([&](AttributeType type, Bytes value) {
    if (type != AttributeType::xor_relayed_address) return;
    const auto relayed = answer.to_xor_address(value);
    if (relayed)
      allocated.relayed.push_back(*relayed);
    else
      is_malformed = true;
  });
  const auto mapped = answer.xor_address(AttributeType::xor_mapped_address);
  const auto lifetime = answer.u32(AttributeType::lifetime);
  if (is_malformed || allocated.relayed.empty() || mapped.is_malformed() || lifetime.is_malformed()) {
    fail(request, {.kind = ClientFailure::Kind::malformed_answer, .method = request.method});
    return;
  }
  if (mapped) allocated.mapped = *mapped;
  allocated.lifetime = lifetime ? seconds{*lifetime} : lifetime_default;
  if (const auto token = answer.reservation_token()) allocated.reservation_token = *token;
  if (const auto error = answer.address_error_code()) allocated.additional_family_error = error->code;
  state_ = State::allocated;
  set_lifetime(allocated.lifetime, now);
  emit(std::move(allocated));
  ask_permissions(upkeep_.wanted_permissions(), now);
  for (const ClientChannel& channel : upkeep_.wanted_channels()) ask_channel(channel, now);
}

void Client::Impl::on_refreshed(const ClientRequest& request, const stun::Message& answer, Now now) {
  const auto lifetime = answer.u32(AttributeType::lifetime);
  if (lifetime.is_malformed()) {
    fail(request, {.kind = ClientFailure::Kind::malformed_answer, .method = request.method});
    return;
  }
  const seconds granted = lifetime ? seconds{*lifetime} : request.lifetime.value_or(lifetime_default);
  if (granted == seconds{0} || request.lifetime == seconds{0})
    forget_allocation();
  else if (state_ == State::allocated)
    set_lifetime(granted, now);
  emit(Refreshed{granted});
}

void Client::Impl::fail(const ClientRequest& request, ClientFailure failure) {
  const bool is_gone = failure.kind == ClientFailure::Kind::refused && failure.code == 437;
  // RFC 8656 section 7.3: deleting what no longer exists has succeeded.
  if (is_gone && request.method == Method::refresh && request.lifetime == seconds{0}) {
    forget_allocation();
    emit(Refreshed{seconds{0}});
    return;
  }
  switch (request.method) {
    case Method::allocate:
      forget_allocation();
      break;
    case Method::create_permission:
      upkeep_.drop_permissions(request.peers);
      break;
    case Method::channel_bind:
      upkeep_.drop_channel(request.channel);
      break;
    default:
      break;
  }
  if (is_gone || state_ == State::closing) forget_allocation();
  emit(Failed{std::move(failure)});
}

void Client::Impl::forget_allocation() {
  is_timeout_known_ = false;
  state_ = State::idle;
  refresh_at_.reset();
  upkeep_.clear();
}

// --- upkeep -----------------------------------------------------------------------------------------------

// Refreshed one minute before the end, so that every retransmission still fits; short ones at half time.
void Client::Impl::set_lifetime(seconds lifetime, Now now) {
  is_timeout_known_ = false;
  expires_at_ = now.mono + lifetime;
  const Duration margin = std::min<Duration>(seconds{60}, Duration{lifetime} / 2);
  refresh_at_ = expires_at_ - margin;
}

void Client::Impl::ask_permissions(const std::vector<SocketAddress>& peers, Now now) {
  upkeep_.note_permissions_asked(peers);
  for (std::size_t at = 0; at < peers.size(); at += peers_per_request) {
    const auto first = peers.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(peers_per_request, peers.size() - at));
    send_request({.method = Method::create_permission, .peers = {first, first + count}}, now);
  }
}

void Client::Impl::ask_channel(const ClientChannel& channel, Now now) {
  upkeep_.note_channel_asked(channel.number);
  send_request({.method = Method::channel_bind, .peers = {channel.peer}, .channel = channel.number}, now);
}

void Client::Impl::keep_alive(Now now) {
  if (now.mono >= expires_at_) {
    forget_allocation();
    return;
  }
  if (refresh_at_ && *refresh_at_ <= now.mono) {
    refresh_at_.reset();  // set again by the answer
    send_request({.method = Method::refresh, .lifetime = settings_.lifetime}, now);
  }
  ask_permissions(upkeep_.due_permissions(now.mono), now);
  for (const ClientChannel& channel : upkeep_.due_channels(now.mono)) ask_channel(channel, now);
}

// --- data -------------------------------------------------------------------------------------------------

void Client::Impl::on_channel_data(Bytes datagram) {
  const auto data = stun::decode_channel_data(datagram);
  if (!data) return;
  // The server may relay before its answer to ChannelBind has arrived, hence any channel that was asked for.
  const auto peer = upkeep_.find_peer(data->channel);
  if (peer) emit(Received{.peer = *peer, .payload = to_vector(data->payload), .by_channel = true});
}

void Client::Impl::on_data_indication(const stun::Message& indication) {
  if (state_ != State::allocated) return;
  const auto peer = indication.xor_address(AttributeType::xor_peer_address);
  if (!peer) return;
  if (const auto data = indication.find(AttributeType::data)) {
    emit(Received{.peer = *peer, .payload = to_vector(*data)});
    return;
  }
  // RFC 8656 section 11.6: an ICMP error that a packet to this peer has met.
  if (const auto icmp = indication.icmp()) emit(PeerUnreachable{*peer, *icmp});
}

// --- the public face --------------------------------------------------------------------------------------

Client::Client(ClientSettings settings, Random& random)
    : impl_(std::make_unique<Impl>(std::move(settings), random)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

void Client::discover(Now now) { impl_->discover(now); }
void Client::start(Now now) { impl_->start(now); }
void Client::permit(std::vector<SocketAddress> peers, Now now) { impl_->permit(std::move(peers), now); }
std::uint16_t Client::bind_channel(const SocketAddress& peer, Now now) {
  return impl_->bind_channel(peer, now);
}
void Client::send(const SocketAddress& peer, Bytes payload, Now) { impl_->send(peer, payload); }
void Client::refresh(seconds lifetime, Now now) { impl_->refresh(lifetime, now); }
void Client::change_credential(ClientCredential credential) {
  impl_->change_credential(std::move(credential));
}
void Client::close(Now now) { impl_->close(now); }
void Client::on_datagram(Bytes datagram, Now now) { impl_->on_datagram(datagram, now); }
void Client::on_timeout(Now now) { impl_->on_timeout(now); }
std::optional<ClientEffect> Client::next_effect() { return impl_->next_effect(); }
std::optional<Instant> Client::next_timeout() const { return impl_->next_timeout(); }
bool Client::is_allocated() const { return impl_->is_allocated(); }
bool Client::is_idle() const { return impl_->is_idle(); }
const ServerDescription& Client::server() const { return impl_->server(); }

}  // namespace turnpike::turn
