// An authorization server made of npm's oidc-provider, for the tests of the exchange.
//
// Its client authentication, replay checks and DPoP nonces are its own; only the exchange grant (RFC 8693), which
// it does not have, is added through its documented extension point. Settings come as JSON in OBO_INTEROP:
// clients, jwks (that sign subject tokens; without, they are its own), and tls ({key, cert, ca}) for a second port where clients show
// certificates. The address is printed as one line once it listens on loopback.

import { createServer } from 'node:http';
import { createServer as createTLSServer } from 'node:https';
import { createInterface } from 'node:readline';
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';
import validateDpop from 'oidc-provider/lib/helpers/validate_dpop.js';

const { clients, jwks, tls } = JSON.parse(process.env.OBO_INTEROP);
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const resourceServer = { scope: 'orders:read orders:write', accessTokenFormat: 'jwt', accessTokenTTL: 300 };

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const subjectKeys = jwks ? createLocalJWKSet(jwks) : createRemoteJWKSet(new URL(`${issuer}/jwks`));
const tlsServer = tls && createTLSServer({ ...tls, requestCert: true, rejectUnauthorized: false });
if (tlsServer) await new Promise((resolve) => tlsServer.listen(0, '127.0.0.1', resolve));
const aliases = tlsServer && { token_endpoint: `https://127.0.0.1:${tlsServer.address().port}/token` };
const certificateMethods = tls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : [];
const certificateOf = (ctx) => ctx.socket.getPeerX509Certificate?.();

const provider = new Provider(issuer, {
  clients,
  scopes: ['orders:read', 'orders:write'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', ...certificateMethods],
  discovery: { mtls_endpoint_aliases: aliases },
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'RS512', 'ES256', 'ES384', 'ES512'] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  fetch: (url, { dispatcher, ...options }) => fetch(url, options), // its own dispatcher keeps it from loopback
  features: {
    clientCredentials: { enabled: true },
    mTLS: {
      enabled: Boolean(tls),
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      certificateBoundAccessTokens: true,
      getCertificate: certificateOf,
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => (property === 'tls_client_auth_san_uri'
        ? certificateOf(ctx).subjectAltName === `URI:${expected}`
        : certificateOf(ctx).subject === expected),
    },
    introspection: { enabled: true },
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'api://orders',
      getResourceServerInfo: (ctx, audience) => ({ ...resourceServer, audience }),
    },
  },
});

const parameters = ['subject_token', 'subject_token_type', 'audience', 'scope', 'requested_token_type'];
provider.registerGrantType(EXCHANGE, async (ctx) => {
  const { client, params } = ctx.oidc;
  const dPoP = await validateDpop(provider, ctx);
  let subject;
  try {
    subject = (await jwtVerify(params.subject_token, subjectKeys)).payload.sub;
  } catch {
    throw new errors.InvalidGrant('subject token is invalid');
  }
  if (params.audience !== 'api://orders') throw new errors.InvalidTarget();
  const token = new provider.AccessToken({ accountId: subject, client, gty: EXCHANGE, scope: params.scope });
  token.resourceServer = new provider.ResourceServer(params.audience, { ...resourceServer, audience: params.audience });
  if (dPoP) token.setThumbprint('jkt', dPoP.thumbprint);
  if (client.tlsClientCertificateBoundAccessTokens) token.setThumbprint('x5t', certificateOf(ctx));
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope: token.scope,
  };
}, parameters);

server.on('request', provider.callback());
tlsServer?.on('request', provider.callback());
// A line on stdin is a logout to tell of; it ends with the tests that started it.
createInterface({ input: process.stdin }).on('line', async (line) => {
  const { clientId, subject, uri } = JSON.parse(line);
  const client = await provider.Client.find(clientId);
  client.backchannelLogoutUri = uri;
  console.log(await client.backchannelLogout(subject, 'session-1').then(() => 'told', String));
}).on('close', () => process.exit(0));
console.log(issuer);
