// A second provider that nobody here wrote (npm: oauth2-mock-server): it asks nothing and signs in whoever comes.
import { OAuth2Server } from 'oauth2-mock-server';

import { listen, say, settings } from './lines.mjs';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
server.service.on('beforeTokenSigning', (token) => Object.assign(token.payload, settings.claims));
server.service.on('beforeResponse', (response, request) => say('grant', { type: request.body.grant_type }));
await server.start(settings.port, 'localhost');
listen({ issuer: () => server.issuer.url });
