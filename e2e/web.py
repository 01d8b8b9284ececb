"""The web side of the end-to-end tests: programs of npm (e2e/web), a site that serves the pages, and Chromium."""

import functools
import http.server
import json
import os
import pathlib
import queue
import shutil
import subprocess
import tempfile
import threading

import world

HERE = pathlib.Path(__file__).resolve().parent / "web"
MODULES = HERE / "node_modules"


def node():
    """The Node.js of package.json: the one of Debian 12 is too old for what is installed there."""
    found = next(iter(MODULES.glob("node-linux-*/bin/node")), None)
    if found is None:
        raise AssertionError("the packages of npm are not installed: run tools/npm-packages")
    return str(found)


def bundle(folder):
    """The pages and their script, in one file, in a folder to serve."""
    for page in (HERE / "page").glob("*.html"):
        shutil.copy(page, folder)
    subprocess.run(
        [MODULES / ".bin" / "esbuild", HERE / "page" / "main.js", "--bundle", "--log-level=warning",
         "--outfile=main.js"], cwd=folder, check=True,
    )  # fmt: skip


class Site:
    """Serves the pages on a port of loopback: `origin` is what a browser says of them."""

    def __init__(self, host="127.0.0.1"):
        self.folder = tempfile.mkdtemp(prefix="turnpike_e2e_site_")
        handler = functools.partial(QuietHandler, directory=self.folder)
        self.server = http.server.ThreadingHTTPServer((host, 0), handler)
        self.origin = f"http://{host}:{self.server.server_port}"

    def start(self):
        bundle(self.folder)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def clean_up(self):
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class ScriptError(AssertionError):
    """What a script in a page has thrown."""


class Browser:
    def __init__(self):
        self.log = tempfile.TemporaryFile()
        self.process = None
        self.last = 0
        self.answers = {}  # id -> queue of one answer

    def start(self):
        self.answers[0] = queue.Queue()
        self.process = subprocess.Popen(
            [node(), HERE / "browser.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, cwd=HERE,
            preexec_fn=world.end_with_us,
        )
        threading.Thread(target=self.read, daemon=True).start()
        self.answer(0, 30)
        return self

    def read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            self.answers[said["id"]].put(said)

    def ask(self, page, action, value=None):
        """Sends a wish; its number."""
        self.last += 1
        self.answers[self.last] = queue.Queue()
        self.process.stdin.write(json.dumps({"id": self.last, "page": page, "do": action, "with": value}).encode() + b"\n")
        self.process.stdin.flush()
        return self.last

    def answer(self, number, seconds=60):
        try:
            said = self.answers[number].get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"the browser does not answer:\n{self.said()}") from None
        del self.answers[number]
        if "error" in said:
            raise ScriptError(said["error"])
        return said["value"]

    def page(self, name, url):
        self.answer(self.ask(name, "open", url))
        return Page(self, name)

    def said(self):
        """The consoles of all pages."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def clean_up(self):
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
        self.log.close()


class Page:
    def __init__(self, browser, name):
        self.browser, self.name = browser, name

    def begin(self, expression):
        """Starts a script; `finish` brings what it returns."""
        return self.browser.ask(self.name, "run", expression)

    def finish(self, number, seconds=60):
        return self.browser.answer(number, seconds)

    def run(self, expression):
        return self.finish(self.begin(expression))

    def close(self):
        self.browser.answer(self.browser.ask(self.name, "close"))


class Person:
    """Somebody at a browser of their own: reads, types and clicks by the names that they see."""

    def __init__(self, browser, name, width=1024):
        self.browser, self.name, self.width = browser, name, width

    def do(self, action, value=None):
        return self.browser.answer(self.browser.ask(self.name, action, value))

    def visit(self, url):
        self.do("visit", {"url": url, "width": self.width})
        return self.look()

    def fill(self, label, text):
        self.do("fill", {"label": label, "text": text})

    def click(self, name):
        self.do("click", name)
        return self.look()

    def press(self, key):
        self.do("press", key)
        return self.look()

    def look(self):
        return self.do("look")

    def run(self, expression):
        return self.do("run", expression)

    def shoot(self, name):
        """A picture for a person to look at, where TURNPIKE_PICTURES names a folder."""
        folder = os.environ.get("TURNPIKE_PICTURES")
        if folder:
            self.do("shoot", str(pathlib.Path(folder).resolve() / f"{name}.png"))


class PhonePage:
    """A page with one phone: "jssip" or "sipjs"."""

    def __init__(self, browser, site, kind, **settings):
        self.page = browser.page(f"{kind} {settings['user']} {browser.last}", f"{site.origin}/index.html")
        self.user = settings["user"]
        self.aor = f"sip:{settings['user']}@{settings['realm']}"
        self.page.run(f"void (window.phone = phones.{kind}({json.dumps(settings)}))")

    def __getattr__(self, method):
        """phone.method(arguments) of the page."""
        return lambda *arguments: self.page.run(f"phone.{method}({', '.join(map(json.dumps, arguments))})")
