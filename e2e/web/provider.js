// The identity provider of the tests: oidc-provider, which logs in whom login_hint names. Without one it shows a page.
//
// node provider.js SETTINGS, a JSON text:
//   issuer      where it is reached, "https://127.0.0.1:8443"; the port is listened to
//   key, cert   files of TLS; absent, it is plain HTTP
//   users       {alice: {impi, impus, wwsf}}, the claims of each user's tokens
//   audience    of the access tokens (RFC 8707): as JWT (RFC 9068); with "/opaque" behind it, as a reference to introspect
//   seconds     how long a token lives
//   clients     {id: secret} of those that may introspect; the client "wic" has PKCE and no secret
//   redirect    the redirect URI of "wic"
//   parties     [{...}] of further clients, as OpenID Connect Dynamic Client Registration has their metadata: those that
//               log users in here. Their ID tokens have the claims of the user, unless `userinfo` is true
//   kid         names the key that signs, which is made at the start; absent: one that is the same each time
//   skew        how many seconds its clock is ahead
// Writes "ready" and a line end when it answers.

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const opaque = `${settings.audience}/opaque`;
const parties = settings.parties ?? [];

if (settings.skew) {
  const now = Date.now;
  Date.now = () => now() + settings.skew * 1000;
}

function keys() {
  if (!settings.kid) return {};
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: settings.kid, use: 'sig' }] } };
}

const clients = Object.entries(settings.clients).map(([client_id, client_secret]) => ({
  client_id, client_secret, redirect_uris: [], response_types: [], grant_types: [],
}));
clients.push({
  client_id: 'wic', token_endpoint_auth_method: 'none', redirect_uris: [settings.redirect], response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
});

clients.push(...parties);

const provider = new Provider(settings.issuer, {
  clients,
  ...keys(),
  // Its own dispatcher goes to no address of this machine.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  conformIdTokenClaims: settings.userinfo ?? false,
  claims: { profile: ['preferred_username'], email: ['email', 'email_verified'] },
  findAccount: (_, id) => (settings.users[id] ? { accountId: id, claims: () => ({ sub: id, ...settings.users[id] }) } : undefined),
  extraTokenClaims: (_, token) => settings.users[token.accountId],
  ttl: { AccessToken: settings.seconds, Grant: 3600, Interaction: 60, Session: 3600 },
  interactions: { url: (_, { uid }) => `/login/${uid}` },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId !== 'wic' },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client) => (parties.some((party) => party.client_id === client.clientId) ? undefined : settings.audience),
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'ims', audience: settings.audience, accessTokenTTL: settings.seconds,
        accessTokenFormat: resource === opaque ? 'opaque' : 'jwt', jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  // Everybody has granted everything.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
    grant.addOIDCScope('openid offline_access profile email');
    for (const resource of [settings.audience, opaque]) grant.addResourceScope(resource, 'ims');
    await grant.save();
    return grant;
  },
});

for (const event of ['grant.error', 'server_error', 'authorization.error']) {
  provider.on(event, (_, error) => console.error(event, error.error_description ?? error.message, error.error_detail ?? ''));
}
const answer = provider.callback();

const page = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>The other provider</title><body>
<form method="post"><label>Who are you there? <input name="user"></label><button>Go on</button></form></body></html>`;

async function body(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return new URLSearchParams(text);
}

async function serve(request, response) {
  if (!request.url.startsWith('/login/')) return answer(request, response);
  try {
    const { params } = await provider.interactionDetails(request, response);
    if (!params.login_hint && request.method === 'GET') {
      return response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
    }
    const user = params.login_hint ?? (await body(request)).get('user');
    const result = settings.users[user] ? { login: { accountId: user } } : { error: 'access_denied' };
    await provider.interactionFinished(request, response, result);
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
}

const server = settings.key
  ? https.createServer({ key: readFileSync(settings.key), cert: readFileSync(settings.cert) }, serve)
  : http.createServer(serve);
server.listen(Number(new URL(settings.issuer).port), '127.0.0.1', () => console.log('ready'));
