// The identity provider of the tests: oidc-provider, which logs in whom login_hint names and asks nobody anything.
//
// node provider.js SETTINGS, a JSON text:
//   issuer      where it is reached, "https://127.0.0.1:8443"; the port is listened to
//   key, cert   files of TLS; absent, it is plain HTTP
//   users       {alice: {impi, impus, wwsf}}, the claims of each user's tokens
//   audience    of the access tokens (RFC 8707): as JWT (RFC 9068); with "/opaque" behind it, as a reference to introspect
//   seconds     how long a token lives
//   clients     {id: secret} of those that may introspect; the client "wic" has PKCE and no secret
//   redirect    the redirect URI of "wic"
// Writes "ready" and a line end when it answers.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const opaque = `${settings.audience}/opaque`;

const clients = Object.entries(settings.clients).map(([client_id, client_secret]) => ({
  client_id, client_secret, redirect_uris: [], response_types: [], grant_types: [],
}));
clients.push({
  client_id: 'wic', token_endpoint_auth_method: 'none', redirect_uris: [settings.redirect], response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
});

const provider = new Provider(settings.issuer, {
  clients,
  findAccount: (_, id) => (settings.users[id] ? { accountId: id, claims: () => ({ sub: id }) } : undefined),
  extraTokenClaims: (_, token) => settings.users[token.accountId],
  ttl: { AccessToken: settings.seconds, Grant: 3600, Interaction: 60, Session: 3600 },
  interactions: { url: (_, { uid }) => `/login/${uid}` },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId !== 'wic' },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => settings.audience,
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
    grant.addOIDCScope('openid offline_access');
    for (const resource of [settings.audience, opaque]) grant.addResourceScope(resource, 'ims');
    await grant.save();
    return grant;
  },
});

const answer = provider.callback();

async function serve(request, response) {
  if (!request.url.startsWith('/login/')) return answer(request, response);
  try {
    const { params } = await provider.interactionDetails(request, response);
    const result = settings.users[params.login_hint] ? { login: { accountId: params.login_hint } } : { error: 'access_denied' };
    await provider.interactionFinished(request, response, result);
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
}

const server = settings.key
  ? https.createServer({ key: readFileSync(settings.key), cert: readFileSync(settings.cert) }, serve)
  : http.createServer(serve);
server.listen(Number(new URL(settings.issuer).port), '127.0.0.1', () => console.log('ready'));
