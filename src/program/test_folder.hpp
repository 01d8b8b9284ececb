#pragma once
// A folder of a test's own, gone with it.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace turnpike::program {

class TestFolder {
 public:
  TestFolder() : path_(std::filesystem::path{testing::TempDir()} / unique_name()) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(path_); }

  // Returns the name of the file, which its owner alone may read unless `for_all`.
  std::string write(const std::string& name, std::string_view content, bool for_all = false) {
    using std::filesystem::perms;
    const auto file = path_ / name;
    std::ofstream{file} << content;
    std::filesystem::permissions(
        file, perms::owner_read | perms::owner_write | (for_all ? perms::others_read : perms::none));
    return file.string();
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  static std::string unique_name() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    return std::string{"turnpike_"} + test->test_suite_name() + "_" + test->name();
  }
  std::filesystem::path path_;
};

}  // namespace turnpike::program
