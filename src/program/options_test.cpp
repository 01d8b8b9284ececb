#include "program/options.hpp"

#include <gtest/gtest.h>

namespace turnpike::program {
namespace {

// turnpike greet NAME [--times N] [--loud], turnpike paint brush|roller
struct Line {
  std::string name;
  std::uint64_t times = 1;
  std::optional<std::string> tone;
  std::vector<std::string> words;
  bool loud = false;

  Answer run(std::vector<const char*> values) {
    values.insert(values.begin(), "turnpike");
    CommandLine line{"the description", "turnpike 1.2.3"};
    Command root = line.root();
    root.require_command();
    Command greet = root.add("greet", "Say a word");
    greet.required_text("NAME", name, "who")
        .number("-n,--times", times, 1, 5, "how often")
        .choice("--tone", tone, {"warm", "cold"}, "how")
        .texts("--word", words, "one more")
        .flag("--loud", loud, "loudly")
        .explain("Example:\n  turnpike greet world\n");
    greet.on_run([this] { return say("hello " + name + '\n'); });
    Command paint = root.add("paint", "Paint").require_command();
    paint.add("brush", "With a brush").on_run([] { return say_no("no paint"); });
    paint.add("roller", "With a roller").on_run([] { return say(""); });
    return line.run(static_cast<int>(values.size()), values.data());
  }

  std::string complaint(std::vector<const char*> values) {
    const Answer answer = run(std::move(values));
    EXPECT_EQ(answer.exit_status, exit_wrong);
    EXPECT_EQ(answer.text, "");
    return answer.complaint;
  }
};

TEST(CommandLine, RunsTheCommandWithItsOptions) {
  Line line;
  const Answer answer =
      line.run({"greet", "world", "-n", "3", "--loud", "--tone=warm", "--word", "a", "--word", "b"});
  EXPECT_EQ(answer.text, "hello world\n");
  EXPECT_EQ(answer.exit_status, exit_ok);
  EXPECT_EQ(line.times, 3U);
  EXPECT_EQ(line.tone, "warm");
  EXPECT_EQ(line.words, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(line.loud);
}

TEST(CommandLine, HandsTheExitStatusOfTheCommandOn) {
  EXPECT_EQ(Line{}.run({"paint", "brush"}).exit_status, exit_no);
}

TEST(CommandLine, RefusesAMistakeInOneLine) {
  EXPECT_EQ(Line{}.complaint({"gret"}),
            "turnpike has no command \"gret\"; did you mean \"greet\"?; see turnpike --help");
  EXPECT_EQ(Line{}.complaint({"paint", "spoon"}),
            "turnpike paint has no command \"spoon\"; see turnpike paint --help");
  EXPECT_EQ(Line{}.complaint({}), "turnpike needs a command: greet, paint; see turnpike --help");
  EXPECT_EQ(Line{}.complaint({"paint"}),
            "turnpike paint needs a command: brush, roller; see turnpike paint --help");
  EXPECT_EQ(Line{}.complaint({"greet"}), "NAME is required; see turnpike greet --help");
  EXPECT_EQ(Line{}.complaint({"greet", "x", "-n", "6"}),
            "--times: found \"6\", allowed: 1 to 5; see turnpike greet --help");
  EXPECT_EQ(Line{}.complaint({"greet", "x", "--times", "-1"}),
            "--times: found \"-1\", allowed: 1 to 5; see turnpike greet --help");
  EXPECT_EQ(Line{}.complaint({"greet", "x", "--tone", "hot"}),
            "--tone: found \"hot\", allowed: warm, cold; see turnpike greet --help");
  EXPECT_NE(Line{}.complaint({"greet", "x", "--quiet"}).find("--quiet"), std::string::npos);
}

TEST(CommandLine, HelpNamesTheWholeCommandAndItsExample) {
  const Answer answer = Line{}.run({"greet", "--help"});
  EXPECT_EQ(answer.exit_status, exit_ok);
  for (const std::string_view part : {"Say a word\n", "Usage: turnpike greet [OPTIONS] NAME\n",
                                      "-n,--times NUMBER=1", "turnpike greet world\n"})
    EXPECT_NE(answer.text.find(part), std::string::npos) << part << " in:\n" << answer.text;
  const std::string root = Line{}.run({"--help"}).text;
  EXPECT_NE(root.find("\nCommands:\n"), std::string::npos) << root;
}

TEST(CommandLine, TellsItsVersion) { EXPECT_EQ(Line{}.run({"--version"}).text, "turnpike 1.2.3\n"); }

}  // namespace
}  // namespace turnpike::program
