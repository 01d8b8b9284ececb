"""The pages of the WAF as people meet them, in Chromium: read, by keyboard, on a phone, with another provider."""

import secrets
import unittest
import urllib.parse

import federation
import waf
import web
import world

# Of every page: what a screen reader and a weak eye need. Contrast is that of WCAG 2.2 (1.4.3): 4.5 for text.
AUDIT = """(() => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!color.endsWith(', 0)')) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const problems = [];
  if (!document.documentElement.lang) problems.push('no language');
  if (!document.title) problems.push('no title');
  if (document.querySelectorAll('h1').length !== 1) problems.push('not one h1');
  if (!document.querySelector('main')) problems.push('no main');
  if (document.scripts.length) problems.push('a script');
  for (const input of document.querySelectorAll('input:not([type=hidden])')) if (!input.labels.length) problems.push(`no label: ${input.name}`);
  for (const element of document.querySelectorAll('h1, h2, p, label, li, button, a, strong, input:not([type=hidden])')) {
    const style = getComputedStyle(element);
    const [light, dark] = [luminance(style.color), luminance(background(element))].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(1)}: ${element.tagName} ${element.textContent}`);
    const box = element.getBoundingClientRect();
    if (/^(BUTTON|INPUT)$/.test(element.tagName) || element.className === 'way') if (box.height < 40) problems.push(`${box.height} px: ${element.textContent}`);
  }
  return problems;
})()"""


class Pages(waf.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.kept(federation.Federated())
        cls.site = cls.kept(web.Site())
        cls.browser = cls.kept(web.Browser())
        cls.peer = cls.kept(world.EchoPeer())
        cls.redirect = f"{cls.site.origin}/index.html"
        cls.server.keep("client", "add", "phone", "--name", "The <phone>", "--redirect-uri", "http://127.0.0.1/index.html")

    def person(self, **more):
        return web.Person(self.browser, secrets.token_hex(4), **more)

    def start(self, verifier="v" * 43, **more):
        return self.server.authorization(verifier, client_id="phone", redirect_uri=self.redirect, **more)

    def assert_good(self, person, picture):
        self.assertEqual(person.run(AUDIT), [], picture)
        self.assertLessEqual(person.look()["overflow"], 0, f"{picture} is wider than the screen")
        person.shoot(picture)

    def test_a_login_with_a_password(self):
        for width in (1024, 360):
            person = self.person(width=width)
            page = person.visit(self.start())
            self.assertEqual((page["title"], page["focus"]), ("Log in - turnpike", "name"))
            self.assertIn("The <phone>", page["text"])
            self.assert_good(person, f"login_{width}")
            person.fill("Name", "local")
            person.fill("Password", "not wonderland")
            page = person.click("Log in")
            self.assertIn("The name or the password is wrong.", page["text"])
            self.assertEqual(page["focus"], "password", "the name is there already")
            self.assert_good(person, f"login_wrong_{width}")
            person.fill("Password", waf.PASSWORD)
            page = person.press("Enter")
            self.assertEqual(page["title"], "Allow access? - turnpike")
            self.assert_good(person, f"consent_{width}")
            page = person.click("Deny")
            self.assertIn("error=access_denied", page["url"])

    def test_all_of_it_by_keyboard(self):
        person = self.person()
        person.visit(self.start())
        for key in ("l", "o", "c", "a", "l", "Tab", *("Space" if c == " " else c for c in waf.PASSWORD)):
            person.do("press", key)
        page = person.press("Enter")
        self.assertEqual(page["title"], "Allow access? - turnpike")
        self.assertTrue(person.run("document.hasFocus()"))
        person.do("press", "Tab")
        self.assertEqual(person.run("document.activeElement.textContent"), "Allow", "the first thing that Tab comes to")
        outline = person.run("(({outlineStyle, outlineColor}) => [outlineStyle, outlineColor])(getComputedStyle(document.activeElement))")
        self.assertEqual(outline, ["solid", "rgb(180, 83, 9)"], "5:1 against white, where WCAG 2.2 (1.4.11) wants 3:1")
        person.shoot("consent_focus")

    def test_a_login_elsewhere_and_a_relayed_packet(self):
        person, verifier = self.person(width=360), secrets.token_urlsafe(32)
        person.visit(self.start(verifier))
        page = person.click("Log in with Example Corp")
        self.assertEqual(page["title"], "The other provider")
        person.fill("Who are you there?", "alice")
        page = person.click("Go on")
        self.assertEqual(page["title"], "Allow access? - turnpike")
        self.assertIn(federation.impi("alice"), page["text"])
        self.assert_good(person, "consent_federated_360")
        page = person.click("Allow")
        self.assertTrue(page["url"].startswith(self.redirect), page)
        said = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page["url"]).query))
        self.assertEqual((said["state"], said["iss"]), ("s&1", self.server.issuer))
        tokens = self.server.browser().post(
            f"{self.server.issuer}/token", grant_type="authorization_code", client_id="phone", code=said["code"], code_verifier=verifier
        ).json()
        self.allocated(tokens)

    def test_somebody_else_can_log_in_after_one_who_may_not(self):
        person = self.person(width=360)
        person.visit(self.start())
        person.click("Log in with Example Corp")
        person.fill("Who are you there?", "dora")
        page = person.click("Go on")
        self.assertIn("You are logged in at Example Corp.", page["text"])
        self.assert_good(person, "provider_refused_360")
        page = person.click("Try again")
        self.assertEqual(page["title"], "Log in - turnpike")
        person.click("Log in with Example Corp")
        person.fill("Who are you there?", "bob")
        self.assertEqual(person.click("Go on")["title"], "Allow access? - turnpike")

    def test_what_goes_wrong_is_said(self):
        person = self.person(width=360)
        page = person.visit(self.start().replace("client_id=phone", "client_id=nobody"))
        self.assertIn("The application is not known here.", page["text"])
        self.assert_good(person, "error_360")
        person.visit(self.start())
        person.click("Log in with Example Corp")
        person.fill("Who are you there?", "mallory")
        page = person.click("Go on")
        self.assertIn("You have not logged in at Example Corp.", page["text"])
        self.assert_good(person, "provider_cancelled_360")
        for _ in range(6):
            person.fill("Name", "nobody")
            person.fill("Password", "guess")
            page = person.click("Log in")
        self.assertIn("There were too many attempts.", page["text"])
        self.assert_good(person, "login_locked_360")


if __name__ == "__main__":
    unittest.main()
