// Amazon's own verifier of Cognito's tokens (npm: aws-jwt-verify), as an API behind Cognito uses it.
import { get } from 'node:https';

import { CognitoJwtVerifier, JwtRsaVerifier } from 'aws-jwt-verify';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';

import { listen, settings } from './lines.mjs';

// The address that Amazon would answer is asked of the pool under test: path and document are as they would be there.
const fetched = [];
const fetcher = {
  fetch: (uri) => new Promise((done, failed) => {
    fetched.push(uri);
    const { pathname } = new URL(uri);
    get(new URL(pathname, settings.pool_url), async (response) => {
      const chunks = await response.toArray();
      if (response.statusCode === 200) done(Buffer.concat(chunks)); else failed(new Error(`${uri}: ${response.statusCode}`));
    }).on('error', failed);
  }),
};

listen({
  cognito: ({ token, ...properties }) => CognitoJwtVerifier.create(properties, { jwksCache: new SimpleJwksCache({ fetcher }) }).verify(token),
  // Its own fetcher, over https, for an issuer that is not Amazon's.
  any: ({ token, ...properties }) => JwtRsaVerifier.create(properties).verify(token),
  fetched: () => fetched,
});
