#include "relay/datagram_reader.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"

namespace turnpike::relay {

ReceiveArena::ReceiveArena(std::size_t buffers) : buffers_(buffers), bytes_(buffers * stride) {
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(memory != MAP_FAILED, "no memory for receive buffers");
  memory_ = static_cast<Byte*>(memory);
  for (std::size_t i = 0; i < buffers_; ++i) *buffer(i) = 0;
}

ReceiveArena::~ReceiveArena() { munmap(memory_, bytes_); }

DatagramReader::DatagramReader(std::size_t buffers) : arena_(buffers), slots_(buffers), messages_(buffers) {
  for (std::size_t i = 0; i < buffers; ++i) {
    slots_[i].vector = {arena_.buffer(i), ReceiveArena::buffer_bytes};
    msghdr& header = messages_[i].msg_hdr;
    header = {};
    header.msg_name = &slots_[i].from.any;
    header.msg_iov = &slots_[i].vector;
    header.msg_iovlen = 1;
    header.msg_control = slots_[i].control.data();
  }
  used_ = buffers;
  release_all();
}

void DatagramReader::release_all() {
  for (std::size_t i = 0; i < used_; ++i) {
    messages_[i].msg_hdr.msg_namelen = sizeof(sockaddr_in6);
    messages_[i].msg_hdr.msg_controllen = control_bytes;
  }
  used_ = 0;
}

std::size_t DatagramReader::read(int fd, std::size_t max) {
  const std::size_t wanted = std::min(max, free_buffers());
  first_of_last_read_ = used_;
  if (wanted == 0) return 0;
  // An ICMP error that waits on the socket is reported once in place of data.
  int count = -1;
  for (int attempts = 0; count < 0 && attempts < 4; ++attempts) {
    count = recvmmsg(fd, messages_.data() + used_, static_cast<unsigned>(wanted), MSG_DONTWAIT, nullptr);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
  }
  if (count <= 0) return 0;
  used_ += static_cast<std::size_t>(count);
  return static_cast<std::size_t>(count);
}

Train DatagramReader::train(std::size_t index_of_last_read) const {
  const std::size_t index = first_of_last_read_ + index_of_last_read;
  const mmsghdr& message = messages_[index];
  const std::size_t size = message.msg_len;
  Train train{.bytes = {static_cast<const Byte*>(slots_[index].vector.iov_base), size},
              .segment_bytes = std::max<std::size_t>(size, 1),
              .from = &slots_[index].from};
  if (message.msg_hdr.msg_controllen < sizeof(cmsghdr)) return train;
  const auto* part = reinterpret_cast<const cmsghdr*>(slots_[index].control.data());
  if (part->cmsg_level != IPPROTO_UDP || part->cmsg_type != UDP_GRO) return train;
  int segment = 0;
  std::memcpy(&segment, CMSG_DATA(part), sizeof segment);
  if (segment > 0) train.segment_bytes = static_cast<std::size_t>(segment);
  return train;
}

}  // namespace turnpike::relay
