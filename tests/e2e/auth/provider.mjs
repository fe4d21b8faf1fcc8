// An OpenID Connect provider whose only user is always signed in.
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export class Provider {
  static clientId = 'ferrobase';
  static clientSecret = 'secret-of-the-client';

  constructor(claims) {
    this.claims = claims;
    this.codes = new Map();
    this.pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.server = createServer((request, response) => this.#answer(request, response));
  }

  async start() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.issuer = `http://127.0.0.1:${this.server.address().port}`;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  async #answer(request, response) {
    const address = new URL(request.url, this.issuer);
    const json = (value, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (address.pathname === '/.well-known/openid-configuration') return json(this.#discovery());
    if (address.pathname === '/jwks') return json({ keys: [this.#key()] });
    if (address.pathname === '/authorize') return this.#authorize(address.searchParams, response);
    if (address.pathname !== '/token') return json({}, 404);
    let body = '';
    for await (const chunk of request) body += chunk;
    const tokens = this.#exchange(new URLSearchParams(body));
    return tokens ? json(tokens) : json({ error: 'invalid_grant' }, 400);
  }

  #discovery() {
    const at = (path) => `${this.issuer}${path}`;
    return {
      issuer: this.issuer,
      authorization_endpoint: at('/authorize'),
      token_endpoint: at('/token'),
      jwks_uri: at('/jwks'),
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
  }

  #key() {
    return { ...this.pair.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' };
  }

  // The user is there and agrees.
  #authorize(asked, response) {
    const code = randomUUID();
    this.codes.set(code, asked);
    const back = new URL(asked.get('redirect_uri'));
    back.searchParams.set('code', code);
    back.searchParams.set('state', asked.get('state'));
    response.writeHead(302, { location: back.href });
    response.end();
  }

  // What the provider says about the user, for whoever asked with this nonce.
  idToken(nonce) {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.issuer,
      aud: Provider.clientId,
      iat: now,
      exp: now + 300,
      ...(nonce && { nonce }),
      ...this.claims,
    };
    const text = `${part({ alg: 'RS256', kid: 'one', typ: 'JWT' })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(text), this.pair.privateKey);
    return `${text}.${signature.toString('base64url')}`;
  }

  #exchange(given) {
    const asked = this.codes.get(given.get('code'));
    if (!asked) return undefined;
    this.codes.delete(given.get('code'));
    const verifier = given.get('code_verifier') ?? '';
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    if (asked.has('code_challenge') && asked.get('code_challenge') !== challenge) return undefined;
    const id_token = this.idToken(asked.get('nonce'));
    return { access_token: randomUUID(), token_type: 'Bearer', expires_in: 300, id_token };
  }
}
