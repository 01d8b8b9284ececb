// The flows of the WAF by openid-client. SETTINGS as of oauth4webapi.js.

import * as client from 'openid-client';
import { login, refusal, relay, run } from './driver.js';

await run(async (settings) => {
  const done = {};
  const issuer = new URL(settings.issuer);
  const config = await client.discovery(issuer, 'wic', undefined, client.None(), { algorithm: 'oauth2' });
  const authorize = async (more = {}) => {
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: settings.redirect, state: expectedState, code_challenge_method: 'S256',
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), ...more,
    });
    return [await login(url), { pkceCodeVerifier, expectedState }];
  };

  const [place, checks] = await authorize();
  // What another server would say (RFC 9207), and a state of somebody else.
  const mixed = new URL(place);
  mixed.searchParams.set('iss', 'https://evil.example');
  done.mixUp = await refusal(client.authorizationCodeGrant(config, mixed, checks));
  done.otherState = await refusal(client.authorizationCodeGrant(config, place, { ...checks, expectedState: 'x' }));
  done.tokens = await client.authorizationCodeGrant(config, place, checks);
  done.refreshed = await client.refreshTokenGrant(config, done.tokens.refresh_token);
  const exchange = (token, scope) => client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', scope,
  });
  done.exchanged = await exchange(done.refreshed.access_token, 'ims turn');
  await relay(done.exchanged);
  done.narrowed = await client.refreshTokenGrant(config, done.refreshed.refresh_token, { scope: 'ims' });
  done.widened = await refusal(client.refreshTokenGrant(config, done.narrowed.refresh_token, { scope: 'ims everything' }));
  done.exchangedNarrowed = await exchange(done.narrowed.access_token, 'ims');

  const [boundPlace, boundChecks] = await authorize({ prompt: 'consent' });
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
  done.bound = await client.authorizationCodeGrant(config, boundPlace, boundChecks, undefined, { DPoP });
  done.boundRefreshed = await client.refreshTokenGrant(config, done.bound.refresh_token, undefined, { DPoP });
  done.withoutProof = await refusal(client.refreshTokenGrant(config, done.boundRefreshed.refresh_token));

  // Nobody is asked anything where nobody may be.
  const [silent, silentChecks] = await authorize({ prompt: 'none' });
  done.silent = await client.authorizationCodeGrant(config, silent, silentChecks);
  const [bad, badChecks] = await authorize({ scope: 'everything' });
  done.badScope = await refusal(client.authorizationCodeGrant(config, bad, badChecks));

  const server = await client.discovery(issuer, settings.server.id, settings.server.secret, client.ClientSecretBasic(settings.server.secret), { algorithm: 'oauth2' });
  done.own = await refusal(client.clientCredentialsGrant(server, { audience: settings.audience }));
  const asks = await client.discovery(issuer, settings.asks.id, settings.asks.secret, client.ClientSecretPost(settings.asks.secret), { algorithm: 'oauth2' });
  done.active = await client.tokenIntrospection(asks, done.silent.access_token);
  await client.tokenRevocation(config, done.silent.refresh_token);
  done.revoked = await client.tokenIntrospection(asks, done.silent.access_token);
  return done;
});
