#include "client/load_sockets.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace turnpike::client {
namespace {

constexpr int buffer_bytes = 8 << 20;
constexpr int retries_max = 16;
constexpr std::array<Byte, 4> zero_padding{};

void set_buffer(int descriptor, int forced, int plain) {
  if (::setsockopt(descriptor, SOL_SOCKET, forced, &buffer_bytes, sizeof buffer_bytes) == 0) return;
  ::setsockopt(descriptor, SOL_SOCKET, plain, &buffer_bytes, sizeof buffer_bytes);
}

// The size of the datagrams of a train; 0: it is none.
std::size_t train_size_of(msghdr& header) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO) continue;
    int size = 0;
    std::memcpy(&size, CMSG_DATA(control), sizeof size);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }
  return 0;
}

}  // namespace

void prepare_load_socket(int descriptor) {
  set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF);
  set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF);
  const int on = 1;
  ::setsockopt(descriptor, SOL_UDP, UDP_GRO, &on, sizeof on);
}

// --- receiving --------------------------------------------------------------------------------------------

LoadReceiver::LoadReceiver() : buffers_(new Byte[batch * buffer_size]) {
  for (std::size_t i = 0; i < batch; ++i) {
    vectors_[i] = {buffers_.get() + i * buffer_size, buffer_size};
    messages_[i].msg_hdr.msg_iov = &vectors_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_control = controls_[i].data();
    messages_[i].msg_hdr.msg_controllen = control_size;
  }
}

bool LoadReceiver::receive(int descriptor, FunctionRef<void(Bytes)> on_datagram) {
  const int count = ::recvmmsg(descriptor, messages_.data(), batch, MSG_DONTWAIT, nullptr);
  if (count <= 0) return count < 0 && errno == ECONNREFUSED;  // an old ICMP error stands before the data
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    Bytes rest{buffers_.get() + i * buffer_size, messages_[i].msg_len};
    const std::size_t size = train_size_of(messages_[i].msg_hdr);
    messages_[i].msg_hdr.msg_controllen = control_size;
    for (; size > 0 && rest.size() > size; rest = rest.subspan(size)) on_datagram(rest.first(size));
    on_datagram(rest);
  }
  return static_cast<std::size_t>(count) == batch;
}

// --- sending ----------------------------------------------------------------------------------------------

LoadSender::LoadSender(const LoadPacketForge& forge)
    : forge_(forge), fronts_(packets_max), vectors_(packets_max * vectors_per_packet) {}

bool LoadSender::has_room(std::size_t packets) const {
  return message_count_ < messages_max && packet_count_ + packets <= packets_max;
}

void LoadSender::open(const NativeAddress* to) {
  check(message_count_ < messages_max, "the batch is full");
  open_[message_count_++] = {.to = to, .first_vector = vector_count_};
}

void LoadSender::add(Bytes prefix, const LoadPacket& packet) {
  check(packet_count_ < packets_max && prefix.size() <= prefix_max, "the batch is full");
  auto& front = fronts_[packet_count_++];
  std::copy(prefix.begin(), prefix.end(), front.begin());
  forge_.write_head(packet, front.data() + prefix.size());
  const Bytes body = forge_.body_of(packet.sequence);
  add_vector(front.data(), prefix.size() + load_head_size);
  add_vector(body.data(), body.size());
  // RFC 8489 section 14: the last attribute of a Send indication is padded too.
  const bool is_message = prefix.size() > 4;
  const std::size_t padding = is_message ? (4 - forge_.payload_bytes() % 4) % 4 : 0;
  if (padding > 0) add_vector(zero_padding.data(), padding);
  Open& message = open_[message_count_ - 1];
  ++message.packets;
  message.packet_size = prefix.size() + forge_.payload_bytes() + padding;
}

void LoadSender::add_vector(const Byte* data, std::size_t size) {
  vectors_[vector_count_++] = {const_cast<Byte*>(data), size};
}

void LoadSender::prepare(std::size_t index) {
  const Open& message = open_[index];
  const std::size_t end = index + 1 < message_count_ ? open_[index + 1].first_vector : vector_count_;
  msghdr& header = messages_[index].msg_hdr;
  header = {};
  if (message.to != nullptr) {
    header.msg_name = const_cast<sockaddr*>(&message.to->any);
    header.msg_namelen = message.to->size;
  }
  header.msg_iov = &vectors_[message.first_vector];
  header.msg_iovlen = end - message.first_vector;
  if (message.packets < 2) return;
  header.msg_control = controls_[index].data();
  header.msg_controllen = control_size;
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto size = static_cast<std::uint16_t>(message.packet_size);
  std::memcpy(CMSG_DATA(control), &size, sizeof size);
}

std::size_t LoadSender::flush(int descriptor) {
  for (std::size_t i = 0; i < message_count_; ++i) prepare(i);
  std::size_t done = 0;
  for (int retries = 0; done < message_count_ && retries < retries_max;) {
    const int sent =
        ::sendmmsg(descriptor, &messages_[done], static_cast<unsigned>(message_count_ - done), 0);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
      continue;
    }
    ++retries;
    if (errno != EAGAIN && errno != ENOBUFS) continue;  // an old ICMP error is told once
    pollfd polled{descriptor, POLLOUT, 0};
    ::poll(&polled, 1, 1);
  }
  std::size_t unsent = 0;
  for (; done < message_count_; ++done) unsent += open_[done].packets;
  message_count_ = packet_count_ = vector_count_ = 0;
  return unsent;
}

}  // namespace turnpike::client
