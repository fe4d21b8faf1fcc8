// What a user holds in their hand: a code generator, and an authenticator with its browser.
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

// The code an app shows at this moment (RFC 6238).
export const totp = (secret, at = Date.now()) => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((c) => letters.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const digest = createHmac('sha1', key).update(counter).digest();
  const word = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(word % 1_000_000).padStart(6, '0');
};

const sha256 = (data) => createHash('sha256').update(data).digest();
const base64url = (data) => Buffer.from(data).toString('base64url');

// CBOR (RFC 8949), as far as authenticators speak it.
const head = (kind, n) => {
  if (n < 24) return Buffer.from([(kind << 5) | n]);
  if (n < 256) return Buffer.from([(kind << 5) | 24, n]);
  return Buffer.from([(kind << 5) | 25, n >> 8, n & 255]);
};
const cbor = (value) => {
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (typeof value === 'string') return Buffer.concat([head(3, value.length), Buffer.from(value)]);
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  const pairs = [...value].flatMap(([name, member]) => [cbor(name), cbor(member)]);
  return Buffer.concat([head(5, value.size), ...pairs]);
};

// An authenticator with one ES256 credential, used on a page of `origin`.
export class Authenticator {
  constructor(origin) {
    this.origin = origin;
    this.id = randomBytes(16);
    this.count = 0;
    this.pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  }

  // navigator.credentials.create, with the credential as it is turned into JSON.
  create({ rp, challenge, user, authenticatorSelection }) {
    if (authenticatorSelection.residentKey === 'required') this.handle = user.id;
    const { x, y } = this.pair.publicKey.export({ format: 'jwk' });
    const key = new Map([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, Buffer.from(x, 'base64url')],
      [-3, Buffer.from(y, 'base64url')],
    ]);
    const length = Buffer.from([0, this.id.length]);
    const attested = [Buffer.alloc(16), length, this.id, cbor(key)];
    const authData = Buffer.concat([this.#data(rp.id, 0x45), ...attested]);
    const object = new Map([
      ['fmt', 'none'],
      ['attStmt', new Map()],
      ['authData', authData],
    ]);
    return this.#credential({
      clientDataJSON: base64url(this.#client('webauthn.create', challenge)),
      attestationObject: base64url(cbor(object)),
    });
  }

  // navigator.credentials.get, likewise.
  get({ rpId, challenge }) {
    this.count += 1;
    const authenticatorData = this.#data(rpId, 0x05);
    const client = this.#client('webauthn.get', challenge);
    const signed = Buffer.concat([authenticatorData, sha256(client)]);
    return this.#credential({
      clientDataJSON: base64url(client),
      authenticatorData: base64url(authenticatorData),
      signature: base64url(sign('sha256', signed, this.pair.privateKey)),
      ...(this.handle && { userHandle: this.handle }),
    });
  }

  #data(rpId, flags) {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(this.count);
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), count]);
  }

  #client(type, challenge) {
    const data = { type, challenge: base64url(challenge), origin: this.origin, crossOrigin: false };
    return Buffer.from(JSON.stringify(data));
  }

  #credential(response) {
    const id = base64url(this.id);
    const json = { id, rawId: id, type: 'public-key', response, clientExtensionResults: {} };
    return { ...json, toJSON: () => json };
  }
}
