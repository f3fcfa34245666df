// An OpenID provider that nobody here wrote (npm: oidc-provider), with its own development pages: any name and password sign in.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

import { listen, say, settings } from './lines.mjs';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEOPLE = { ada: { name: 'Ada Lovelace', email: 'ada@example.com', email_verified: true, groups: ['engineers', 'staff'] } };

const provider = new Provider(settings.issuer, {
  clients: [settings.client],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
  // OpenID Connect Core §5.4: with a code, claims of scopes come from userInfo alone.
  conformIdTokenClaims: settings.claims_at_userinfo_only,
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...PEOPLE[sub] }) }),
  features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: settings.access_seconds, IdToken: 3600, RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 600 },
  cookies: { keys: ['the cookies of a provider that lives for one test'] },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'peer-1' }] },
});
// What a browser typed is the issuer, wherever this program listens.
const { host, protocol } = new URL(settings.issuer);
provider.proxy = true;

const handle = provider.callback();
const grants = new Set();
provider.on('grant.success', (ctx) => {
  grants.add(ctx.oidc.entities.Grant.jti);
  say('grant', { type: ctx.oidc.params.grant_type });
});
for (const name of ['authorization.error', 'grant.error', 'revocation.error', 'end_session.error', 'userinfo.error', 'server_error']) {
  provider.on(name, (ctx, error) => say('refused', { by: name, error: error.error, detail: error.error_description ?? error.message }));
}
provider.on('grant.revoked', () => say('revoked'));
provider.on('end_session.success', () => say('session ended'));

const tls = settings.tls && { cert: readFileSync(settings.tls.cert), key: readFileSync(settings.tls.key) };
const answer = (request, response) => {
  request.headers['x-forwarded-host'] = host;
  request.headers['x-forwarded-proto'] = protocol.slice(0, -1);
  handle(request, response);
};
const server = tls ? createSecureServer(tls, answer) : createServer(answer);
server.listen(settings.port, '127.0.0.1', () => listen({
  // An administrator takes back what everybody granted.
  forget: async () => {
    for (const id of grants) await provider.Grant.adapter.destroy(id);
    for (const id of grants) await provider.RefreshToken.revokeByGrantId(id);
  },
}));
