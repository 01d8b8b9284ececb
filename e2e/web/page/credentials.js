// Reads the answer of docs/turn-credentials.md, as a header or as a body, into what RTCPeerConnection takes.

// Splits at a separator outside of quotes and angle brackets.
function split(text, separator) {
  const parts = [''];
  let quoted = false;
  let bracketed = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quoted && character === '\\') {
      parts[parts.length - 1] += character + text[++at];
      continue;
    }
    if (character === '"') quoted = !quoted;
    else if (!quoted && character === '<') bracketed = true;
    else if (!quoted && character === '>') bracketed = false;
    if (character === separator && !quoted && !bracketed) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}

function unquoted(word) {
  return word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, '$1') : word;
}

// The rows of a header Turn-Credentials: {iceServers, ttl, refresh_after}, or null without a value for a browser.
export function fromHeader(rows) {
  const values = rows.flatMap((row) => split(row, ',')).map((value) => {
    const [uri, ...parameters] = split(value, ';');
    const entries = parameters.map((parameter) => {
      const at = parameter.indexOf('=');
      return [parameter.slice(0, at).trim().toLowerCase(), unquoted(parameter.slice(at + 1).trim())];
    });
    return { uri: uri.slice(1, -1), ...Object.fromEntries(entries) };
  });
  const passwords = values.filter((value) => (value.type ?? 'password').toLowerCase() === 'password');
  if (passwords.length === 0) return null;
  return {
    iceServers: passwords.map(({ uri, username, password }) => ({ urls: [uri], username, credential: password })),
    ttl: Number(passwords[0].ttl),
    refresh_after: Number(passwords[0]['refresh-after']),
  };
}

// A body of type application/turn-credentials+json.
export function fromBody(text) {
  return JSON.parse(text);
}
