#!/usr/bin/env python3
"""The rules of this house that a compiler does not keep: tools/tidy.py [ROOT].

Prints one line per violation (path:line: rule: what) and exits 1 when there is one. Each rule has a name,
and tools/tidy_test.py plants a violation of each. Python's standard library is all it needs.
"""

import os
import re
import sys
from pathlib import Path

# Arrows point down only; what a folder of src may include besides itself.
LAYERS = {
    "base": set(),
    "stun": {"base"},
    "sip": {"base"},
    "credentials": {"base"},
    "jose": {"base"},
    "provisioning": {"base", "sip", "credentials"},
    "turn": {"base", "stun", "credentials"},
    "epcscf": {"base", "sip", "credentials", "provisioning"},
    "ims": {"base", "sip"},
    "waf": {"base", "credentials", "jose"},
    "store": {"base", "ims", "waf"},
    "relay": {"base", "stun", "credentials", "turn"},
    "service": {"base", "sip", "credentials", "jose", "provisioning", "epcscf", "ims", "waf"},
    "client": {"base", "stun", "sip", "credentials", "provisioning", "turn", "ims"},
    "program": {"base", "stun", "sip", "credentials", "jose", "provisioning", "turn", "epcscf", "ims", "waf", "store", "relay",
                "service", "client"},
}
PURE = {"stun", "sip", "credentials", "jose", "provisioning", "turn", "epcscf", "ims", "waf"}

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 700
SKIPPED_FOLDERS = {".git", "build", "var", "node_modules", "__pycache__"}
OUR_OWN = {"tools/tidy.py", "tools/tidy_test.py"}  # they name what they forbid

# (rule, pattern over code without comments and strings, what to use instead)
CLOCKS = [
    ("clock", r"\bnow\s*\(\s*\)", "take a Now as parameter"),
    ("clock", r"(?<![\w.>])(?:std::)?(?:time|clock)\s*\(|\b(?:gettimeofday|clock_gettime|read_clocks)\b",
     "take a Now as parameter"),
]
RANDOMNESS = [
    ("randomness", r"\brandom_device\b|(?<![\w.>])(?:std::)?s?rand\s*\(|\bRAND_(?:priv_)?bytes\b|\bgetrandom\b"
     r"|\bSystemRandom\b|\bmt19937", "draw from the Random& that is handed in"),
]
SOCKETS = [
    ("socket", r"#\s*include\s*<(?:sys/socket|netinet/\w+|netdb|sys/epoll|poll|sys/un)\.h>"
     r"|(?<![\w.>])(?:::)?(?:socket|sendto|recvfrom|sendmsg|recvmsg|sendmmsg|recvmmsg|epoll_wait)\s*\("
     r"|\bboost::asio\b", "return an effect; the relay and the client own the sockets"),
    ("socket", r"#\s*include\s*\"base/native_address\.hpp\"", "use SocketAddress"),
]
SLEEP = [
    ("sleep", r"\bsleep_(?:for|until)\b|::sleep\s*\(|(?<![\w.>])(?<!\w )(?:sleep|usleep|nanosleep)\s*\(",
     "wait for the event, or let virtual time pass"),
]
ENVIRONMENT = [
    ("environment", r"\b(?:secure_)?getenv\b|\benviron\b", "take it as a setting"),
    ("thread", r"#\s*include\s*<(?:thread|mutex|shared_mutex|atomic|condition_variable|future|semaphore|latch|barrier"
     r"|pthread\.h)>|\bstd::(?:jthread|thread|mutex|scoped_lock|unique_lock|atomic|async)\b|\bthread_local\b",
     "the owner of a machine calls it from one thread"),
]
OUTPUT = [
    ("io", r"#\s*include\s*<(?:fstream|iostream|cstdio|filesystem|print|fcntl\.h|unistd\.h|spdlog/[\w/.]+)>"
     r"|#\s*include\s*\"base/log\.hpp\"|(?<![\w.>])(?:std::)?f?printf\s*\(|\bfopen\s*\(|\bspdlog::|\bstd::c(?:out|err)\b",
     "machines do not print: return a value or an effect"),
]
EVERYWHERE_IN_SRC = SLEEP + [
    ("throw", r"\bthrow\b", "return std::expected"),
    ("using-namespace-std", r"\busing\s+namespace\s+std\s*;", "name what is used"),
    ("friend", r"\bfriend\s+(?:class|struct)\b", "what cannot be seen from outside is not tested"),
    ("name", r"(?<!std::)(?<![\w.>])(?:get|do|handle)_\w+\s*\([^;{}]*\)\s*(?:const\s*)?(?:noexcept\s*)?\{",
     "say what it does: find_, next_, on_, make_"),
    ("name", r"\b(?:class|struct)\s+\w*(?:Manager|Helper|Utils?)\b", "name the noun that it is"),
]
STDOUT = [("stdout", r"\bstd::cout\b|(?<![\w.>])(?:std::)?printf\s*\(|\bputs\s*\(", "only program prints to standard output")]


class Source:
    """A C++ file in three views of the same lines: as it is, without comments, without comments and strings."""

    def __init__(self, text):
        self.lines = text.split("\n")
        self.comments = []  # (line number, text)
        without_comments, code = self._separate(text)
        self.without_comments = without_comments.split("\n")
        self.code_text = code
        self.code = code.split("\n")

    TOKEN = re.compile(
        r'(?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")'
        r'|(?P<line>//(?:\\\n|[^\n])*)'
        r'|(?P<block>/\*.*?\*/)'
        r'|(?P<string>"(?:\\.|[^"\\\n])*")'
        r"|(?P<number>\b\d[\w.]*(?:'[\w.]+)+)"
        r"|(?P<char>'(?:\\.|[^'\\\n])+')", re.S)

    def _separate(self, text):
        def line_ends(match):
            return re.sub(r"[^\n]", " ", match.group(0))

        def drop_comment(match):
            if match.lastgroup in ("line", "block"):
                self.comments.append((text.count("\n", 0, match.start()) + 1, match.group(0)))
                return line_ends(match)
            return match.group(0)

        def drop_string(match):
            kind = match.lastgroup
            if kind == "number":
                return match.group(0)
            blank = line_ends(match)
            return blank if kind in ("line", "block") or len(blank) < 2 else '"' + blank[1:-1] + '"'

        without_comments = self.TOKEN.sub(drop_comment, text)
        code = self.TOKEN.sub(drop_string, without_comments)
        # The name of an included file is no string.
        included = re.compile(r'^\s*#\s*include\s*"')
        kept = without_comments.split("\n")
        code_lines = [kept[at] if included.match(kept[at]) else line for at, line in enumerate(code.split("\n"))]
        return without_comments, "\n".join(code_lines)


def functions(code):
    """(first line, last line) of each outermost function body in code without comments and strings."""
    found = []
    stack = []  # of (kind, head, first line of the head): kinds are scope, function, braces
    head, head_line, line, parens = "", 1, 1, 0
    text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda match: re.sub(r"[^\n]", " ", match.group(0)), code, flags=re.M)
    for character in text:
        if character == "\n":
            line += 1
        inside = stack[-1][0] if stack else "scope"
        if character == "{":
            kind = "braces" if inside != "scope" else kind_of(head, parens)
            stack.append((kind, head, head_line))
            if kind != "braces":
                head, parens = "", 0
        elif character == "}" and stack:
            kind, old_head, old_line = stack.pop()
            if kind == "function":
                found.append((old_line, line))
            if kind != "braces":
                head, parens = "", 0
            elif not stack or stack[-1][0] == "scope":
                head, head_line = old_head + "{}", old_line
        elif inside == "scope":
            if character == ";" and parens == 0:
                head = ""
            else:
                parens += (character == "(") - (character == ")")
                if not head and not character.isspace():
                    head_line = line
                if head or not character.isspace():
                    head += character
                if character == ":" and re.fullmatch(r"(?:public|private|protected)\s*:", head):
                    head = ""
    return found


def kind_of(head, parens):
    """What the brace after this head opens, at namespace or class scope."""
    if parens > 0:
        return "braces"  # a default argument
    if re.match(r"\s*(?:inline\s+)?namespace\b|\s*extern\s*\"", head):
        return "scope"
    flat = re.sub(r"operator\s*(?:\(\s*\)|[^\s\w(]+)", "operator_", head).replace("->", " ")
    flat = re.sub(r"\[\[.*?\]\]", " ", flat)
    flat = without_groups(without_groups(flat, "(", ")"), "<", ">")
    if re.search(r"\b(?:class|struct|union|enum)\b[^()]*$", re.sub(r"\balignas\s*\(\)", " ", flat)):
        return "scope"
    if "=" in flat:
        return "function" if re.search(r"=\s*\[", flat) else "braces"
    if ")" not in flat:
        return "braces"
    # A constructor's `a_{1}` follows a name; its body follows `)` or `}`.
    initialising = re.search(r"\)[^:]*(?<!:):(?!:)", flat)
    return "braces" if initialising and re.search(r"[\w>]\s*$", flat) else "function"


def without_groups(text, opening, closing):
    kept, depth = [], 0
    for character in text:
        if character == opening:
            depth += 1
            if depth == 1:
                kept.append(opening)
        elif character == closing and depth > 0:
            depth -= 1
            if depth == 0:
                kept.append(closing)
        elif depth == 0:
            kept.append(character)
    return "".join(kept)


class House:
    def __init__(self, root):
        self.root = Path(root)
        self.violations = []
        self.files = sorted(self._walk())
        self.tests = None

    def _walk(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
            for name in names:
                if name == ".git":  # of a worktree: a file
                    continue
                yield (Path(folder) / name).relative_to(self.root).as_posix()

    def report(self, path, line, rule, what):
        self.violations.append(f"{path}:{line}: {rule}: {what}")

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def check(self):
        for path in self.files:
            name = path.rsplit("/", 1)[-1]
            if name.endswith((".cpp", ".hpp")):
                self.check_cpp(path)
            elif name.endswith((".py", ".sh", ".cmake")) or name in ("CMakeLists.txt", "run", "test", "bootstrap"):
                self.check_todo(path, enumerate(self.read(path).split("\n"), 1))
            elif name.endswith(".md"):
                self.check_links(path)
            self.check_machine_paths(path)
        self.check_rfc_map("docs/rfc-map.md")
        return self.violations

    def check_cpp(self, path):
        source = Source(self.read(path))
        parts = path.split("/")
        folder = parts[1] if parts[0] == "src" and len(parts) > 2 else None
        self.check_layout(path, source)
        if parts[0] == "src":
            self.check_layers(path, folder, source)
            self.check_own_header(path, source)
        self.check_banned(path, parts[0], folder, source)
        self.check_sizes(path, source)
        self.check_todo(path, source.comments)
        self.check_comments(path, source)

    def check_layout(self, path, source):
        name = path.rsplit("/", 1)[-1]
        if not re.fullmatch(r"[a-z0-9_]+\.[ch]pp", name):
            self.report(path, 1, "file-name", "files are snake_case")
        if name.endswith(".hpp") and source.lines[0] != "#pragma once":
            self.report(path, 1, "pragma-once", "a header begins with #pragma once")

    def check_own_header(self, path, source):
        """A source includes its own header first, which proves that the header compiles alone."""
        own = path if path[:-len("cpp")] + "hpp" in self.files else path.replace("_test.cpp", ".cpp")
        header = own[:-len("cpp")] + "hpp"
        if not path.endswith(".cpp") or header not in self.files or (own != path and own in self.files):
            return  # where there is both a source and a test, the source proves it
        first = re.search(r'^\s*#\s*include\s*(\S+)', "\n".join(source.without_comments), re.M)
        if not first or first.group(1) != f'"{header[len("src/"):]}"':
            self.report(path, 1, "own-header", f'include "{header[len("src/"):]}" first')

    def check_layers(self, path, folder, source):
        if folder not in LAYERS:
            self.report(path, 1, "layering", f"src/{folder} is in no layer (LAYERS in tools/tidy.py)")
            return
        allowed = LAYERS[folder] | {folder}
        for number, line in enumerate(source.without_comments, 1):
            match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if match and match.group(1).split("/")[0] not in allowed:
                self.report(path, number, "layering", f"src/{folder} must not include {match.group(1)}")

    def check_banned(self, path, top, folder, source):
        rules = []
        is_test = path.endswith("_test.cpp")
        if top == "src":
            rules += EVERYWHERE_IN_SRC
            if folder in PURE:
                rules += CLOCKS + RANDOMNESS + SOCKETS + ENVIRONMENT + ([] if is_test else OUTPUT)
            elif folder != "program" and not is_test:
                rules += STDOUT
        elif top == "sim":
            rules += CLOCKS + RANDOMNESS + SOCKETS + SLEEP
        for rule, pattern, instead in rules:
            for match in re.finditer(pattern, source.code_text):
                number = source.code_text.count("\n", 0, match.start()) + 1
                found = " ".join(match.group(0).split())
                self.report(path, number, rule, f"{found[:60]}: {instead}")

    def check_sizes(self, path, source):
        lines = len(source.lines) - (source.lines[-1] == "")
        if lines > FILE_LINES_MAX:
            self.report(path, lines, "file-size", f"{lines} lines, at most {FILE_LINES_MAX}")
        for first, last in functions(source.code_text):
            if last - first + 1 > FUNCTION_LINES_MAX:
                self.report(path, first, "function-size", f"{last - first + 1} lines, at most {FUNCTION_LINES_MAX}")

    def check_todo(self, path, numbered_texts):
        if path in OUR_OWN:
            return
        for number, text in numbered_texts:
            if re.search(r"\bTODO\b(?!\(#\d+\))", text):
                self.report(path, number, "todo", "write TODO(#12): with the number of its issue")
            if re.search(r"\b(?:FIXME|XXX)\b", text):
                self.report(path, number, "fixme", "fix it, or open an issue and write TODO(#12)")

    def check_comments(self, path, source):
        for number, comment in source.comments:
            text = comment.lstrip("/* ").rstrip()
            if re.search(r"\w\([^()]*\);$", text) or re.match(r"(?:if|for|while|switch|return|else|#include|#if)\b.*[;{]$", text):
                self.report(path, number, "commented-code", "remove it; the history keeps it")
            if re.search(r"\bNOLINT", comment) and not re.search(r"\bNOLINT\w*\([\w.,*-]+\):? \w|NOLINTEND", comment):
                self.report(path, number, "nolint", "write NOLINT(check): reason")

    def check_links(self, path):
        text = re.sub(r"```.*?```", lambda match: "\n" * match.group(0).count("\n"), self.read(path), flags=re.S)
        for number, line in enumerate(text.split("\n"), 1):
            for target in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:|#", target):
                    continue
                if not (self.root / path).parent.joinpath(target.split("#")[0]).exists():
                    self.report(path, number, "link", f"{target} does not exist")

    def check_machine_paths(self, path):
        if path in OUR_OWN:
            return
        data = (self.root / path).read_bytes()[:1 << 20]
        if b"\0" in data or path.startswith("fuzz/corpus"):
            return
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            match = re.search(r"(?<![\w.])/(?:home|root|work|Users)/\w+", line)
            if match:
                self.report(path, number, "machine-path", f"{match.group(0)} exists on one machine only")

    def check_rfc_map(self, path):
        """Each row of its tables names at least one file and one test, and all that it names exist."""
        if path not in self.files:
            return
        for number, line in enumerate(self.read(path).split("\n"), 1):
            row = line.strip()
            if not row.startswith("|") or re.fullmatch(r"[|\s:-]+", row):
                continue
            names = re.findall(r"`([^`]+)`", row)
            files = [name for name in names if re.fullmatch(r"[\w./-]+/[\w.-]+", name)]
            tests = [name for name in names if re.fullmatch(r"[A-Z]\w*\.[A-Z]\w*", name)]
            if not files and not tests and self._is_table_head(path, number):
                continue
            for name in files:
                if not (self.root / name).exists():
                    self.report(path, number, "rfc-map", f"{name} does not exist")
            for name in tests:
                if name not in self._all_tests():
                    self.report(path, number, "rfc-map", f"there is no test {name}")
            proves = [name for name in files if re.search(r"_test\.\w+$|^(?:sim|fuzz|e2e)/", name)]
            if not set(files) - set(proves):
                self.report(path, number, "rfc-map", "the row names no file")
            if not tests and not proves:
                self.report(path, number, "rfc-map", "the row names no test")

    def _is_table_head(self, path, number):
        lines = self.read(path).split("\n")
        return number < len(lines) and re.fullmatch(r"\s*\|[|\s:-]+\|?\s*", lines[number]) is not None

    def _all_tests(self):
        if self.tests is None:
            self.tests = set()
            for path in self.files:
                if path.endswith(".cpp"):
                    for suite, name in re.findall(r"\bTEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)\s*\)", self.read(path)):
                        self.tests.add(f"{suite}.{name}")
        return self.tests


def main(arguments):
    root = arguments[1] if len(arguments) > 1 else Path(__file__).resolve().parent.parent
    violations = House(root).check()
    for violation in violations:
        print(violation)
    print(f"tidy: {len(violations)} violation{'' if len(violations) == 1 else 's'}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
