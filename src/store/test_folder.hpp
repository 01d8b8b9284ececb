#pragma once
// For tests: a folder for the files of one test, gone at its end.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace turnpike::store {

class Folder {
 public:
  Folder() : path_(std::filesystem::path{testing::TempDir()} / name()) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  static std::string name() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name =
        "turnpike_" + std::to_string(::getpid()) + "_" + test->test_suite_name() + "_" + test->name();
    for (char& c : name)
      if (c == '/') c = '_';
    return name;
  }
  std::filesystem::path path_;
};

}  // namespace turnpike::store
