#pragma once
// What happened in a world, line by line, as one hash: two runs of a seed are the same if and only if their
// journals are. The lines themselves are made only when somebody reads them.

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"

namespace turnpike::sim {

class Journal {
 public:
  using Reader = std::function<void(std::string_view line)>;
  void read_by(Reader reader) { reader_ = std::move(reader); }

  void note(Now now, std::string_view what);
  void packet(Now now, std::string_view what, const SocketAddress& from, const SocketAddress& to,
              Bytes bytes);

  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::uint64_t lines() const { return lines_; }

 private:
  void open_line(Now now, std::string_view what);
  void mix(std::uint64_t word);
  void mix(Bytes bytes);
  void mix(const SocketAddress& address);

  std::uint64_t hash_ = 0xcbf29ce484222325;
  std::uint64_t lines_ = 0;
  Reader reader_;
};

}  // namespace turnpike::sim
