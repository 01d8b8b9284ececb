#include "sim/attacker.hpp"

#include <array>
#include <utility>

#include "stun/message.hpp"

namespace turnpike::sim {
namespace {

constexpr std::size_t memory = 200;

}  // namespace

Attacker::Attacker(World& world, Network& network, const SocketAddress& address)
    : network_(&network), address_(address), random_(world.fork()) {
  network.attach(address.ip, *this);
}

void Attacker::overhear(const Datagram& datagram) {
  overheard_.push_back(datagram);
  if (overheard_.size() > memory) overheard_.pop_front();
}

void Attacker::send_garbage(const SocketAddress& to) {
  ByteVector bytes(random_.below(200));
  random_.fill(bytes);
  if (!bytes.empty() && random_.below(2) == 0) bytes[0] &= 0x43;  // as STUN or channel data begin
  send_as(address_, to, std::move(bytes));
}

void Attacker::send_request(const SocketAddress& to, stun::Method method) {
  std::array<Byte, 128> buffer{};
  stun::Writer writer{buffer, method, stun::Class::request, random_.draw<12>()};
  if (method == stun::Method::allocate) writer.add_requested_transport(17);
  send_as(address_, to, to_vector(*writer.finish()));
}

void Attacker::replay(bool under_its_own_name) {
  if (const Datagram* datagram = choose())
    send_as(under_its_own_name ? address_ : datagram->from, datagram->to, datagram->bytes);
}

void Attacker::replay_altered() {
  const Datagram* datagram = choose();
  if (datagram == nullptr || datagram->bytes.empty()) return;
  ByteVector bytes = datagram->bytes;
  const auto bit = random_.below(static_cast<std::uint32_t>(bytes.size()) * 8);
  bytes[bit / 8] ^= static_cast<Byte>(1U << (bit % 8));
  send_as(datagram->from, datagram->to, std::move(bytes));
}

void Attacker::send_as(const SocketAddress& from, const SocketAddress& to, ByteVector bytes) {
  network_->send_spoofed({.from = from, .to = to, .bytes = std::move(bytes)}, address_.ip);
}

const Datagram* Attacker::choose() {
  if (overheard_.empty()) return nullptr;
  return &overheard_[random_.below(static_cast<std::uint32_t>(overheard_.size()))];
}

}  // namespace turnpike::sim
