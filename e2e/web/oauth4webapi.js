// The flows of the WAF by oauth4webapi.
//
// node oauth4webapi.js SETTINGS, a JSON text: issuer, redirect (of the public client "wic"), audience (of registration tokens), turn
// (the TURN server's name), server {id, secret} (client_secret_basic, client_credentials), asks {id, secret} (introspection).

import * as oauth from 'oauth4webapi';
import { login, refusal, relay, run } from './driver.js';

const pop = { recognizedTokenTypes: { pop: () => {} } };

// RFC 9449 section 8: the nonce comes with the refusal, and the handle keeps it.
async function withNonce(request, process) {
  try {
    return await process(await request());
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return process(await request());
  }
}

async function code(as, client, settings, verifier, more = {}) {
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: settings.redirect, response_type: 'code', state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more,
  });
  return oauth.validateAuthResponse(as, client, await login(url), state);
}

await run(async (settings) => {
  const issuer = new URL(settings.issuer);
  const done = {};
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }));
  await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
  const wic = { client_id: 'wic' };
  const none = oauth.None();

  // Code with PKCE; the token is verified by the published keys.
  let verifier = oauth.generateRandomCodeVerifier();
  let parameters = await code(as, wic, settings, verifier);
  const redeem = (options) => oauth.authorizationCodeGrantRequest(as, wic, none, parameters, settings.redirect, verifier, options);
  done.tokens = await oauth.processAuthorizationCodeResponse(as, wic, await redeem());
  const headers = { authorization: `Bearer ${done.tokens.access_token}` };
  done.claims = await oauth.validateJwtAccessToken(as, new Request('https://epcscf.example/', { headers }), settings.audience);
  done.wrongAudience = await refusal(oauth.validateJwtAccessToken(as, new Request('https://epcscf.example/', { headers }), 'another'));

  // An exchange for a TURN token, and rotation with reuse detection.
  const exchange = await oauth.genericTokenEndpointRequest(as, wic, none, 'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: done.tokens.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: settings.turn,
  });
  done.turn = await oauth.processGenericTokenEndpointResponse(as, wic, exchange, pop);
  await relay(done.turn);
  const refresh = async (token) => oauth.processRefreshTokenResponse(as, wic, await oauth.refreshTokenGrantRequest(as, wic, none, token));
  done.refreshed = await refresh(done.tokens.refresh_token);
  done.reuse = await refusal(refresh(done.tokens.refresh_token));
  done.afterReuse = await refusal(refresh(done.refreshed.refresh_token));
  done.replay = await refusal(redeem().then((response) => oauth.processAuthorizationCodeResponse(as, wic, response)));

  // DPoP, with the nonce of the server.
  const keys = await oauth.generateKeyPair('ES256');
  const DPoP = oauth.DPoP(wic, keys);
  verifier = oauth.generateRandomCodeVerifier();
  parameters = await code(as, wic, settings, verifier);
  done.bound = await withNonce(() => redeem({ DPoP }), (response) => oauth.processAuthorizationCodeResponse(as, wic, response));
  const thief = oauth.DPoP(wic, await oauth.generateKeyPair('ES256'));
  done.stolen = await refusal(withNonce(
    () => oauth.refreshTokenGrantRequest(as, wic, none, done.bound.refresh_token, { DPoP: thief }),
    (response) => oauth.processRefreshTokenResponse(as, wic, response),
  ));
  done.boundRefreshed = await withNonce(
    () => oauth.refreshTokenGrantRequest(as, wic, none, done.bound.refresh_token, { DPoP }),
    (response) => oauth.processRefreshTokenResponse(as, wic, response),
  );

  // A server: its own tokens, introspection, revocation.
  const server = { client_id: settings.server.id };
  const basic = oauth.ClientSecretBasic(settings.server.secret);
  done.own = await oauth.processClientCredentialsResponse(
    as, server, await oauth.clientCredentialsGrantRequest(as, server, basic, { audience: settings.turn }), pop);
  const wrong = oauth.ClientSecretBasic('wrong');
  done.wrongSecret = await refusal(oauth.clientCredentialsGrantRequest(as, server, wrong, {}).then(
    (response) => oauth.processClientCredentialsResponse(as, server, response)));
  const asks = { client_id: settings.asks.id };
  const post = oauth.ClientSecretPost(settings.asks.secret);
  const introspect = async (token) => oauth.processIntrospectionResponse(as, asks, await oauth.introspectionRequest(as, asks, post, token));
  done.active = await introspect(done.boundRefreshed.access_token);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, wic, none, done.boundRefreshed.refresh_token));
  done.revoked = await introspect(done.boundRefreshed.access_token);
  done.unknown = await introspect('not a token');
  return done;
});
