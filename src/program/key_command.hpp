#pragma once
// turnpike key: secrets of the computed source and keys of the token source (AS-RS
// keys), published before they are used and kept until the last credential made with them has ended.

#include <cstdint>
#include <optional>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"
#include "program/answer.hpp"
#include "program/config.hpp"
#include "program/options.hpp"

namespace turnpike::program {

struct KeyGenerateOptions {
  std::uint64_t size = 32;
  std::optional<std::string> kid{};   // print the line of a token key
  std::optional<std::string> file{};  // write it there, for its owner alone
  bool if_missing = false;            // a file that is there is left alone
};
Answer generate_key(const KeyGenerateOptions& options, Random& random);

Answer list_keys(const Config& config, WallTime wall);

struct KeyRotateOptions {
  std::string source = "token";
  std::optional<std::string> id{};       // of the new key; made from the date unless set
  std::uint64_t publish_seconds = 3600;  // until every relay has been reloaded
  std::uint64_t keep_seconds = 86400;    // the longest life of a credential
};
// The new key and what to do when. Changes no file.
Answer plan_rotation(const Config& config, const KeyRotateOptions& options, WallTime wall, Random& random);

void add_key_command(Command root);

}  // namespace turnpike::program
