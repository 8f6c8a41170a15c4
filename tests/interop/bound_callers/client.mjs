// Callers of the proxy made of npm's openid-client and dpop, for the tests of bound tokens.
//
// Settings come as JSON in OBO_INTEROP: issuer, client ({id, secret}), api (a URL behind the proxy), alg and library. A
// token is got from the issuer by client credentials, bound to a key that is made here, and shown to the API thrice; what
// the API answered is printed as one line of JSON. With dpop the last proof is then shown once more.

import * as DPoP from 'dpop';
import * as client from 'openid-client';

const { issuer, client: { id, secret }, api, alg, library } = JSON.parse(process.env.OBO_INTEROP);
const TIMES = 3;

async function describe(response) {
  return {
    status: response.status,
    body: await response.json(),
    challenge: response.headers.get('www-authenticate'),
  };
}

// The nonces of issuer and API are openid-client's to learn and to use.
async function withOpenidClient() {
  const config = await client.discovery(new URL(issuer), id, secret, client.ClientSecretPost(secret), {
    execute: [client.allowInsecureRequests],
  });
  const handle = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg));
  const { access_token } = await client.clientCredentialsGrant(config, { scope: 'orders:read' }, { DPoP: handle });
  const answers = [];
  for (let time = 0; time < TIMES; time += 1) {
    const response = await client.fetchProtectedResource(
      config, access_token, new URL(api), 'GET', undefined, undefined, { DPoP: handle },
    );
    answers.push(await describe(response));
  }
  return answers;
}

async function withDpop() {
  const keys = await DPoP.generateKeyPair(alg);
  const nonces = {};

  // Once more where a nonce is asked for (RFC 9449 §8, §9).
  async function send(url, options, token) {
    const headers = { ...options.headers };
    if (token) headers.authorization = `DPoP ${token}`;
    for (let tries = 0; ; tries += 1) {
      const { origin } = new URL(url);
      headers.dpop = await DPoP.generateProof(keys, url, options.method, nonces[origin], token);
      const response = await fetch(url, { ...options, headers });
      nonces[origin] = response.headers.get('dpop-nonce') ?? nonces[origin];
      if (tries || !(await response.clone().text()).match(/use_dpop_nonce|proof_nonce_required/)) {
        return [response, headers];
      }
    }
  }

  const { token_endpoint } = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const form = { grant_type: 'client_credentials', client_id: id, client_secret: secret, scope: 'orders:read' };
  const [granted] = await send(token_endpoint, { method: 'POST', body: new URLSearchParams(form), headers: {} });
  const { access_token } = await granted.json();
  const answers = [];
  let last;
  for (let time = 0; time < TIMES; time += 1) {
    const [response, headers] = await send(api, { method: 'GET' }, access_token);
    last = headers;
    answers.push(await describe(response));
  }
  answers.push(await describe(await fetch(api, { headers: last })));
  return answers;
}

console.log(JSON.stringify(await (library === 'dpop' ? withDpop() : withOpenidClient())));
