#!/usr/bin/env python3
"""Plants a violation of each rule of tools/tidy.py in a small tree and demands that exactly that rule fires."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import tidy  # noqa: E402

CLEAN = {
    "src/base/bytes.hpp": "#pragma once\n// Views of bytes.\nnamespace turnpike {}\n",
    "src/base/time.cpp": "#include <chrono>\nauto read() { return std::chrono::steady_clock::now(); }\n",
    "src/stun/message.hpp": '#pragma once\n#include "base/bytes.hpp"\n#include "stun/wire.hpp"\n',
    "src/stun/message.cpp": """#include "stun/message.hpp"
// A comment may speak of time(), of sockets and of a throw; // and hold another.
constexpr auto text = "socket( throw std::cout rand() \\" getenv(";
constexpr auto raw = R"x(time() // "not a comment" throw)x";
constexpr auto separated = 1'000'000;
constexpr char quote = '"';
bool is_random(int brand) { return lifetime(brand) + strand(brand) + this->time(2) > separated; }
""",
    "src/turn/engine.cpp": '#include "credentials/grant.hpp"\n#include "stun/message.hpp"\n// TODO(#12): nothing.\nint x;\n',
    "src/turn/engine_test.cpp": "#include <cstdio>\nTEST(Engine, Starts) {}\n",
    "src/relay/server.cpp": '#include "turn/engine.hpp"\n#include <sys/socket.h>\n#include <thread>\n'
                            "int now() { return socket(1, 2, 3); }\n",
    "src/program/main.cpp": '#include "relay/server.hpp"\n#include "client/probe.hpp"\nint main() { std::cout << 1; }\n',
    "docs/rfc-map.md": "| MUST | file | test |\n|---|---|---|\n"
                       "| answer | `src/turn/engine.cpp` | `Engine.Starts` |\n"
                       "| decode | `src/stun/message.cpp` | `src/turn/engine_test.cpp` |\n",
    "README.md": "[map](docs/rfc-map.md#x) [out](https://example.org/x) [here](#here) `[no](link)`\n"
                 "```\n[no](link)\n```\n",
    "tools/x.sh": "# TODO(#3): shorter\n",
    "fuzz/corpus/decode/1": "/home/somebody FIXME",
}

LONG_FUNCTION = "int f() {\n" + "  g();\n" * 69 + "}\n"

# rule -> planted files, each of which must be reported by this rule and by no other.
PLANTED = {
    "layering": [
        ("src/base/x.cpp", '#include "stun/message.hpp"\n'),
        ("src/stun/wire.cpp", '#include "credentials/grant.hpp"\n'),
        ("src/credentials/grant.cpp", '  #  include "stun/message.hpp"\n'),
        ("src/turn/commons.cpp", '#include "relay/server.hpp"\n'),
        ("src/relay/shard.cpp", '#include "client/probe.hpp"\n'),
        ("src/client/probe.cpp", '#include "relay/server.hpp"\n'),
        ("src/turn/commons.cpp", '#include "commons.hpp"\n'),
        ("src/elsewhere/x.cpp", "int x;\n"),
        ("src/turn/commons_test.cpp", '#include "sim/world.hpp"\n'),
    ],
    "own-header": [
        ("src/base/bytes.cpp", '#include <vector>\n#include "base/bytes.hpp"\n'),
        ("src/base/bytes.cpp", "int x;\n"),
        ("src/base/bytes_test.cpp", '#include <vector>\n#include "base/bytes.hpp"\n'),
    ],
    "clock": [
        ("src/turn/x.cpp", "auto t = std::chrono::steady_clock::now();\n"),
        ("src/stun/x.cpp", "auto t = system_clock :: now ( );\n"),
        ("src/credentials/x.cpp", "auto t = time(nullptr);\n"),
        ("src/credentials/x.cpp", "auto t = ::std::time(nullptr);\n"),
        ("src/turn/x.cpp", "void f() { gettimeofday(&t, 0); }\n"),
        ("src/turn/x.cpp", "void f() { clock_gettime(0, &t); }\n"),
        ("src/turn/x_test.cpp", "auto t = read_clocks();\n"),
        ("sim/world.cpp", "auto t = std::chrono::steady_clock::now();\n"),
    ],
    "randomness": [
        ("src/turn/x.cpp", "std::random_device device;\n"),
        ("src/turn/x.cpp", "int f() { return rand() % 6; }\n"),
        ("src/credentials/x.cpp", "void f() { RAND_bytes(p, 4); }\n"),
        ("src/credentials/x.cpp", "SystemRandom random;\n"),
        ("sim/world.cpp", "std::mt19937 random;\n"),
    ],
    "socket": [
        ("src/turn/x.cpp", "#include <sys/socket.h>\n"),
        ("src/turn/x.cpp", "#include <netinet/in.h>\n"),
        ("src/stun/x.cpp", "int f() { return ::socket(1, 2, 3); }\n"),
        ("src/stun/x.cpp", "int f() { return sendto(1, p, 3); }\n"),
        ("src/turn/x.cpp", '#include "base/native_address.hpp"\n'),
    ],
    "environment": [("src/turn/x.cpp", 'auto home = std::getenv("HOME");\n')],
    "thread": [
        ("src/turn/x.cpp", "#include <thread>\n"),
        ("src/turn/x.cpp", "std::mutex mutex;\n"),
        ("src/stun/x.cpp", "std::atomic<int> count;\n"),
        ("src/credentials/x.cpp", "thread_local int x;\n"),
    ],
    "io": [
        ("src/turn/x.cpp", "#include <fstream>\n"),
        ("src/turn/x.cpp", "#include <iostream>\n"),
        ("src/turn/x.cpp", 'void f() { printf("x"); }\n'),
        ("src/turn/x.cpp", 'void f() { std::fprintf(stderr, "x"); }\n'),
        ("src/stun/x.cpp", "#include <spdlog/spdlog.h>\n"),
        ("src/credentials/x.cpp", '#include "base/log.hpp"\n'),
    ],
    "throw": [("src/program/x.cpp", "void f() { throw 1; }\n"), ("src/base/x_test.cpp", "void f() { throw 1; }\n")],
    "using-namespace-std": [("src/relay/x.cpp", "using  namespace std;\n")],
    "sleep": [
        ("src/relay/x.cpp", "void f() { std::this_thread::sleep_for(d); }\n"),
        ("src/relay/x_test.cpp", "void f() { usleep(3); }\n"),
        ("src/client/x.cpp", "void f() { ::sleep(3); }\n"),
    ],
    "stdout": [
        ("src/relay/x.cpp", "void f() { std::cout << 1; }\n"),
        ("src/client/x.cpp", 'void f() { std::printf("x"); }\n'),
    ],
    "friend": [("src/relay/x.hpp", "#pragma once\nclass X { friend class Y; };\n")],
    "name": [
        ("src/relay/x.cpp", "int X::get_port() const { return 1; }\n"),
        ("src/relay/x.cpp", "void handle_packet(Bytes bytes) {}\n"),
        ("src/relay/x.cpp", "class SocketManager {};\n"),
    ],
    "function-size": [
        ("src/base/x.cpp", LONG_FUNCTION),
        ("tools/x.cpp", LONG_FUNCTION),
    ],
    "file-size": [("src/base/x.cpp", "int x;\n" * 701), ("e2e/x.cpp", "int x;\n" * 701)],
    "file-name": [("src/base/MyFile.cpp", "int x;\n")],
    "pragma-once": [("src/base/x.hpp", "#ifndef X\n#define X\n#endif\n"), ("sim/x.hpp", "// Late.\n#pragma once\n")],
    "todo": [
        ("src/base/x.cpp", "int x;  // TODO: more\n"),
        ("src/base/x.cpp", "/* first\n   TODO(somebody) more */\n"),
        ("tools/x.py", "# TODO later\n"),
        ("src/base/CMakeLists.txt", "# TODO later\n"),
    ],
    "fixme": [("src/base/x.cpp", "int x;  // FIXME\n"), ("tools/x.sh", "# XXX\n")],
    "commented-code": [
        ("src/base/x.cpp", "// check(value);\n"),
        ("src/base/x.cpp", "// return 1;\n"),
        ("src/base/x.cpp", "// if (value) {\n"),
    ],
    "nolint": [
        ("src/base/x.cpp", "int x;  // NOLINT\n"),
        ("src/base/x.cpp", "int x;  // NOLINT(bugprone-x)\n"),
    ],
    "link": [("docs/x.md", "see [the map](rfc-map2.md)\n"), ("docs/adr/1.md", "[up](../nothing.md#x)\n")],
    "machine-path": [("docs/x.md", "run /home" + "/somebody/turnpike\n"), ("tools/x.sh", "cd /work" + "/main\n")],
    "rfc-map": [
        ("docs/rfc-map.md", "| a | `src/turn/gone.cpp` `src/turn/engine.cpp` | `Engine.Starts` |\n"),
        ("docs/rfc-map.md", "| a | `src/turn/engine.cpp` | `Engine.Flies` |\n"),
        ("docs/rfc-map.md", "| a | `src/turn/engine.cpp` | later |\n"),
        ("docs/rfc-map.md", "| a | later | `Engine.Starts` |\n"),
        ("docs/rfc-map.md", "| a | somewhere | later |\n"),
    ],
}


def violations_of(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            (Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(root) / path).write_text(text, encoding="utf-8")
        return tidy.House(root).check()


class Rules(unittest.TestCase):
    def test_a_clean_tree_passes(self):
        self.assertEqual(violations_of(CLEAN), [])

    def test_each_planted_violation_is_found_by_its_rule_alone(self):
        for rule, plants in PLANTED.items():
            for path, text in plants:
                with self.subTest(rule=rule, path=path, text=text[:60]):
                    found = violations_of({**CLEAN, path: text})
                    self.assertEqual({(line.split(":")[0], line.split(": ")[1]) for line in found}, {(path, rule)})

    def test_every_rule_has_a_plant(self):
        source = Path(tidy.__file__).read_text(encoding="utf-8")
        named = set(tidy.re.findall(r'self\.report\([^"]*?"([a-z-]+)"', source))
        for rules in (tidy.CLOCKS, tidy.RANDOMNESS, tidy.SOCKETS, tidy.ENVIRONMENT, tidy.OUTPUT, tidy.EVERYWHERE_IN_SRC,
                      tidy.STDOUT):
            named |= {rule for rule, _, _ in rules}
        self.assertEqual(named, set(PLANTED))

    def test_a_violation_is_told_with_its_line(self):
        found = violations_of({"src/base/x.cpp": "int a;\n\nvoid f() {\n  throw 1;\n}\n"})
        self.assertEqual([line.split(": ")[0] for line in found], ["src/base/x.cpp:4"])


class FunctionSizes(unittest.TestCase):
    def sizes(self, code):
        return [last - first + 1 for first, last in tidy.functions(tidy.Source(code).code_text)]

    def test_counts_a_function_from_its_head_to_its_brace(self):
        self.assertEqual(self.sizes("int f(int a,\n      int b) {\n  return 1;\n}\n"), [4])

    def test_counts_a_lambda_with_the_function_around_it(self):
        self.assertEqual(self.sizes("void f() {\n  g([] {\n    h();\n  });\n}\n"), [5])

    def test_counts_a_function_at_the_limit_and_one_beyond(self):
        self.assertEqual(self.sizes("int f() {\n" + "  g();\n" * 68 + "}\n" + LONG_FUNCTION), [70, 71])

    def test_looks_into_namespaces_and_classes(self):
        code = ("namespace a::b {\nnamespace {\nclass X final : public Y<int()> {\n public:\n  X() {\n  }\n  int f() const\n"
                "  { return 1; }\n  struct Z { int g() { return 1; } };\n};\n}\n}\n")
        self.assertEqual(self.sizes(code), [2, 2, 1])

    def test_takes_an_initialiser_list_for_a_part_of_its_constructor(self):
        self.assertEqual(self.sizes("X::X(int a)\n    : a_{a},\n      b_(1),\n      c_{2} {\n  f();\n}\n"), [6])
        self.assertEqual(self.sizes("X::X(int a) noexcept\n    : a_(a) {\n}\n"), [3])

    def test_takes_no_value_for_a_function(self):
        code = ("int a[] = {1, 2,\n 3};\nconst X x{f(1)};\nvoid g(Options options = {}) {\n}\nenum class E : std::uint8_t { a, b };\n"
                "template <typename T>\nconcept C = requires(T t) {\n  t.f();\n};\n")
        self.assertEqual(self.sizes(code), [2])

    def test_takes_a_lambda_in_a_namespace_for_a_function(self):
        self.assertEqual(self.sizes("constexpr auto table = [] {\n  return 1;\n}();\nint x;\n"), [3])

    def test_knows_operators_templates_and_return_types(self):
        self.assertEqual(self.sizes("bool operator==(X a, X b) {\n}\n"), [2])
        self.assertEqual(self.sizes("bool operator()(X a) const {\n}\n"), [2])
        self.assertEqual(self.sizes("template <typename T = int>\n  requires(sizeof(T) > 1)\nauto f(T t) -> std::optional<T> {\n}\n"), [4])
        self.assertEqual(self.sizes("struct X f() {\n}\n"), [2])
        self.assertEqual(self.sizes("extern \"C\" {\nint f() {\n}\n}\n"), [2])

    def test_is_not_fooled_by_braces_in_text(self):
        code = "void f() {\n  g(\"}\\\"}\", '}', R\"(}\n})\");  // }\n  /* } */\n}\nint h() { return 1'000; }\n"
        self.assertEqual(self.sizes(code), [5, 1])

    def test_is_not_fooled_by_the_preprocessor(self):
        self.assertEqual(self.sizes("#define X { \\\n  {\nvoid f() {\n}\n"), [2])

    def test_takes_a_test_for_a_function(self):
        self.assertEqual(self.sizes("TEST(Suite, Name) {\n  f();\n}\n"), [3])


if __name__ == "__main__":
    unittest.main()
