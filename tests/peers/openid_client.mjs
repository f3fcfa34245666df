// A client that nobody here wrote (npm: openid-client): a small web application that signs its visitor in at the pool.
import { createServer } from 'node:http';

import * as client from 'openid-client';

import { listen, say, settings } from './lines.mjs';

const authentication = settings.client_secret ? client.ClientSecretBasic(settings.client_secret) : client.None();
// A pool whose tokens name Amazon's address is still asked at its own.
const config = settings.metadata_url
  ? new client.Configuration(await (await fetch(settings.metadata_url)).json(), settings.client_id, undefined, authentication)
  : await client.discovery(new URL(settings.issuer), settings.client_id, undefined, authentication);
client.enableNonRepudiationChecks(config); // verify signatures, too, of what came over TLS
const pending = {};
let tokens;

const facts = (answer) => ({ ...answer, claims: answer.claims() });

async function begin() {
  pending.pkceCodeVerifier = client.randomPKCECodeVerifier();
  pending.expectedState = client.randomState();
  pending.expectedNonce = client.randomNonce();
  return client.buildAuthorizationUrl(config, {
    redirect_uri: settings.redirect_uri,
    scope: 'openid email profile',
    code_challenge: await client.calculatePKCECodeChallenge(pending.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: pending.expectedState,
    nonce: pending.expectedNonce,
  }).href;
}

async function finish(url) {
  tokens = await client.authorizationCodeGrant(config, url, { ...pending, idTokenExpected: true });
  say('signed in', facts(tokens));
}

createServer(async (request, response) => {
  const url = new URL(request.url, settings.redirect_uri);
  if (url.pathname === new URL(settings.redirect_uri).pathname) {
    await finish(url).catch((error) => say('signed in', { error: `${error.code}: ${error.message} ${error.cause}` }));
    response.end('Thank you.');
  } else if (url.pathname === '/') {
    response.writeHead(302, { location: await begin() }).end();
  } else {
    response.writeHead(404).end();
  }
}).listen(Number(new URL(settings.redirect_uri).port), '127.0.0.1', () => listen({
  refresh: async () => facts(await client.refreshTokenGrant(config, tokens.refresh_token)),
  userinfo: ({ sub }) => client.fetchUserInfo(config, tokens.access_token, sub),
  revoke: () => client.tokenRevocation(config, tokens.refresh_token),
  again: () => client.authorizationCodeGrant(config, new URL(settings.redirect_uri + '?code=never-issued&state=' + pending.expectedState), pending),
  machine: ({ scope }) => client.clientCredentialsGrant(config, scope ? { scope } : {}),
  signOutUrl: ({ logout_uri }) => client.buildEndSessionUrl(config, { logout_uri }).href,
}));
