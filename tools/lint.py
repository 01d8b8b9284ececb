#!/usr/bin/env python3
"""Runs clang-tidy-19 over the C++ files: tools/lint.py [--budget SECONDS] [--fix CHECKS] [FILE...].

What passed once is not looked at again until the file, a header or .clang-tidy changes. Changed files come
first; when the budget is spent, the rest is named as not looked at, which is no failure.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "tidy"


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def configure():
    # CMAKE_CXX_CLANG_TIDY of the preset would lint while compiling; here it must not, as nothing is compiled.
    done = subprocess.run(["cmake", "--preset", "tidy", "-DCMAKE_CXX_CLANG_TIDY=", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"lint: cmake failed\n{done.stdout}{done.stderr}")


def compiled_files():
    commands = json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))
    files = {Path(command["file"]) for command in commands}
    return sorted(file.relative_to(ROOT).as_posix() for file in files if file.is_relative_to(ROOT) and BUILD not in file.parents)


def changed_files():
    base = output_of("git", "merge-base", "HEAD", "origin/HEAD").strip() or "HEAD~1"
    return set(output_of("git", "diff", "--name-only", base).split()) | set(
        output_of("git", "ls-files", "--others", "--exclude-standard").split())


def digest_of_headers():
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for header in sorted(ROOT.glob("*/**/*.hpp")):
        if "build" not in header.relative_to(ROOT).parts:
            digest.update(header.read_bytes())
    return digest.digest()


def lint(file, fix):
    command = ["clang-tidy-19", "--quiet", "-p", str(BUILD)]
    if fix:
        command += [f"--checks=-*,{fix}", "--fix"]
    done = subprocess.run([*command, file], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + (done.stderr if done.returncode > 1 else "")


def main():
    parser = argparse.ArgumentParser(description="clang-tidy over the house")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no file is begun")
    parser.add_argument("--fix", default="", help="checks whose fixes are applied, e.g. modernize-use-nodiscard")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    started = time.monotonic()

    configure()
    headers = digest_of_headers()
    changed = changed_files()
    files = arguments.files or sorted(compiled_files(), key=lambda file: (file not in changed, file))
    stamps = BUILD / "lint-passed"
    stamps.mkdir(exist_ok=True)

    def look_at(file):
        stamp = stamps / hashlib.sha256(headers + file.encode() + (ROOT / file).read_bytes()).hexdigest()
        if stamp.exists() and not arguments.fix:
            return file, "passed", ""
        if time.monotonic() - started > arguments.budget:
            return file, "left", ""
        status, text = lint(file, arguments.fix)
        if status == 0:
            stamp.touch()
        return file, "passed" if status == 0 else "failed", text

    # Fixes of one header from two files at once would be written into each other.
    workers = 1 if arguments.fix else os.cpu_count() or 1
    counts = {"passed": 0, "failed": 0, "left": 0}
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for file, result, text in pool.map(look_at, files):
            counts[result] += 1
            if result == "failed":
                print(text, flush=True)
            if result != "passed":
                print(f"lint: {file}: {'not looked at, the budget is spent' if result == 'left' else 'failed'}", flush=True)
    print(f"lint: {counts['passed']} files passed, {counts['failed']} failed, {counts['left']} not looked at")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
