// Passkeys, driven by supabase-js with an authenticator in software.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, ok, serviceKey } from '../stack.mjs';
import { Authenticator } from './authenticator.mjs';
import { newConfirmedUser } from './users.mjs';

// Where the stack's site is; browsers use authenticators on its pages.
const SITE = 'http://localhost:3000';

const withPasskeys = (key) => client(key, { experimental: { passkey: true } });

// What a browser makes of the server's options.
const parsed = ({ challenge, ...options }) => ({
  ...options,
  challenge: Buffer.from(challenge, 'base64url'),
});

test('a passkey is made, named, used, and taken away', async () => {
  const { supabase: first, user } = await newConfirmedUser('mio');
  const supabase = withPasskeys();
  ok(await supabase.auth.setSession(ok(await first.auth.getSession()).session));
  const key = new Authenticator(SITE);
  const made = ok(await supabase.auth.passkey.startRegistration());
  const passkey = ok(
    await supabase.auth.passkey.verifyRegistration({
      challengeId: made.challenge_id,
      credential: key.create(parsed(made.options)),
    }),
  );
  const passkeyId = passkey.id;
  ok(await supabase.auth.passkey.update({ passkeyId, friendlyName: 'laptop' }));
  assert.equal(ok(await supabase.auth.passkey.list())[0].friendly_name, 'laptop');

  const again = withPasskeys();
  const signIn = async () => {
    const asked = ok(await again.auth.passkey.startAuthentication());
    return again.auth.passkey.verifyAuthentication({
      challengeId: asked.challenge_id,
      credential: key.get(parsed(asked.options)),
    });
  };
  assert.equal(ok(await signIn()).user.id, user.id);
  const { data } = await again.auth.mfa.getAuthenticatorAssuranceLevel();
  assert.equal(data.currentLevel, 'aal1');
  assert.equal(data.currentAuthenticationMethods[0].method, 'passkey');
  key.origin = 'http://localhost:3001';
  assert.equal((await signIn()).error.code, 'webauthn_verification_failed');
  key.origin = SITE;

  const admin = withPasskeys(serviceKey).auth.admin.passkey;
  assert.equal(ok(await admin.listPasskeys({ userId: user.id })).length, 1);
  assert.equal((await admin.deletePasskey({ userId: user.id, passkeyId })).error, null);
  assert.deepEqual(ok(await again.auth.passkey.list()), []);
  assert.equal((await signIn()).error.code, 'webauthn_verification_failed');
});
