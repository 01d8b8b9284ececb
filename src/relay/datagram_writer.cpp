#include "relay/datagram_writer.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace turnpike::relay {
namespace {

constexpr std::array<Byte, 4> zeros{};

iovec vector_of(Bytes bytes) { return {const_cast<Byte*>(bytes.data()), bytes.size()}; }

void put_segment_size(msghdr& message, MutableBytes control, std::size_t segment_bytes) {
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = IPPROTO_UDP;
  part->cmsg_type = UDP_SEGMENT;
  part->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto size = static_cast<std::uint16_t>(segment_bytes);
  std::memcpy(CMSG_DATA(part), &size, sizeof size);
}

// A path or a device that cannot segment says so by these; the datagrams then go one by one.
bool refuses_trains(int error) {
  return error == EINVAL || error == EIO || error == EMSGSIZE || error == EOPNOTSUPP;
}

// An ICMP error that waits on the socket is reported once in place of sending.
bool is_pending_icmp(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EPROTO ||
         error == EHOSTDOWN || error == ENOPROTOOPT;
}

}  // namespace

void PeerWriter::add(const turn::Forward& forward) {
  RelaySocket* socket = ports_.find(forward.port);
  if (socket == nullptr) return;
  const auto index = static_cast<std::uint32_t>(datagrams_.size());
  datagrams_.push_back({.payload = forward.payload});
  if (socket->group != RelaySocket::no_group && offload_.send) {
    Group& group = groups_[socket->group];
    if (group.peer == forward.peer && group.dont_fragment == forward.dont_fragment &&
        group.shape.takes(forward.payload.size())) {
      group.shape.add(forward.payload.size());
      datagrams_[group.last].next = index;
      group.last = index;
      return;
    }
  }
  socket->group = static_cast<std::uint32_t>(groups_.size());
  groups_.push_back(
      {forward.peer, TrainShape{forward.payload.size()}, index, index, forward.port, forward.dont_fragment});
}

void PeerWriter::flush() {
  for (const Group& group : groups_) send(group);
  groups_.clear();
  datagrams_.clear();
}

void PeerWriter::send(const Group& group) {
  RelaySocket* socket = ports_.find(group.port);
  if (socket == nullptr) return;
  socket->group = RelaySocket::no_group;
  const int fd = socket->descriptor.value();
  if (socket->dont_fragment != group.dont_fragment) {
    set_dont_fragment(fd, socket->is_v4, group.dont_fragment);
    socket->dont_fragment = group.dont_fragment;
  }
  const NativeAddress to{group.peer};
  if (group.shape.count() > 1 && send_train(fd, group, to)) return;
  for (std::uint32_t at = group.first; at != none; at = datagrams_[at].next)
    send_one(fd, to, datagrams_[at].payload);
}

bool PeerWriter::send_train(int fd, const Group& group, NativeAddress to) {
  std::array<iovec, train_segments_max> vectors;
  std::size_t count = 0;
  for (std::uint32_t at = group.first; at != none; at = datagrams_[at].next)
    vectors[count++] = vector_of(datagrams_[at].payload);
  alignas(cmsghdr) std::array<Byte, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  msghdr message{};
  message.msg_name = &to.any;
  message.msg_namelen = to.size;
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  put_segment_size(message, control, group.shape.segment_bytes());
  for (int attempts = 0; attempts < 3; ++attempts) {
    if (sendmsg(fd, &message, MSG_DONTWAIT) >= 0) return true;
    if (refuses_trains(errno)) return false;
    if (!is_pending_icmp(errno)) break;
  }
  dropped_ += count;
  return true;
}

void PeerWriter::send_one(int fd, const NativeAddress& to, Bytes payload) {
  for (int attempts = 0; attempts < 3; ++attempts) {
    if (sendto(fd, payload.data(), payload.size(), MSG_DONTWAIT, &to.any, to.size) >= 0) return;
    if (!is_pending_icmp(errno)) break;
  }
  ++dropped_;
}

ClientWriter::ClientWriter(int fd, const SegmentOffload& offload) : fd_(fd), offload_(offload) {
  parts_.reserve(capacity);
  groups_.reserve(capacity);
}

void ClientWriter::add(const turn::Deliver& deliver) {
  append(deliver.to.client, {deliver.prefix, deliver.prefix_size, deliver.padding, deliver.payload});
}

void ClientWriter::add(const SocketAddress& to, ByteVector bytes) {
  if (is_full()) flush();
  kept_.push_back(std::move(bytes));
  append(to, {.prefix = {}, .prefix_size = 0, .padding = 0, .payload = kept_.back()});
}

void ClientWriter::append(const SocketAddress& to, const Part& part) {
  if (is_full()) flush();
  const std::size_t size = part.size();
  const bool joins =
      offload_.send && !groups_.empty() && groups_.back().to == to && groups_.back().shape.takes(size);
  if (joins)
    groups_.back().shape.add(size);
  else
    groups_.push_back({to, TrainShape{size}, static_cast<std::uint32_t>(parts_.size())});
  parts_.push_back(part);
}

void ClientWriter::flush() {
  if (groups_.empty()) return;
  build_messages();
  send_messages();
  groups_.clear();
  parts_.clear();
  kept_.clear();
}

void ClientWriter::build_messages() {
  vectors_.clear();
  vectors_.reserve(parts_.size() * 3);  // must not move: messages point into it
  names_.resize(std::max(names_.size(), groups_.size()));
  controls_.resize(std::max(controls_.size(), groups_.size()));
  messages_.resize(groups_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    const std::size_t first_vector = vectors_.size();
    for (std::size_t at = group.first; at < group.first + group.shape.count(); ++at) {
      const Part& part = parts_[at];
      if (part.prefix_size > 0) vectors_.push_back(vector_of({part.prefix.data(), part.prefix_size}));
      if (!part.payload.empty()) vectors_.push_back(vector_of(part.payload));
      if (part.padding > 0) vectors_.push_back(vector_of(Bytes{zeros}.first(part.padding)));
    }
    names_[i] = NativeAddress{group.to};
    msghdr& message = messages_[i].msg_hdr;
    message = {};
    message.msg_name = &names_[i].any;
    message.msg_namelen = names_[i].size;
    message.msg_iov = vectors_.data() + first_vector;
    message.msg_iovlen = vectors_.size() - first_vector;
    if (group.shape.count() > 1) put_segment_size(message, controls_[i].bytes, group.shape.segment_bytes());
  }
}

void ClientWriter::send_messages() {
  std::size_t sent = 0;
  while (sent < messages_.size()) {
    const int count =
        sendmmsg(fd_, messages_.data() + sent, static_cast<unsigned>(messages_.size() - sent), MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    const Group& refused = groups_[sent];
    if (refused.shape.count() > 1 && refuses_trains(errno))
      send_one_by_one(refused);
    else
      dropped_ += refused.shape.count();
    ++sent;
  }
}

void ClientWriter::send_one_by_one(const Group& group) {
  NativeAddress to{group.to};
  for (std::size_t at = group.first; at < group.first + group.shape.count(); ++at) {
    const Part& part = parts_[at];
    std::array<iovec, 3> vectors{vector_of({part.prefix.data(), part.prefix_size}), vector_of(part.payload),
                                 vector_of(Bytes{zeros}.first(part.padding))};
    msghdr message{};
    message.msg_name = &to.any;
    message.msg_namelen = to.size;
    message.msg_iov = vectors.data();
    message.msg_iovlen = vectors.size();
    if (sendmsg(fd_, &message, MSG_DONTWAIT) < 0) ++dropped_;
  }
}

}  // namespace turnpike::relay
