// Second factors, driven by supabase-js: time-based codes and an authenticator in software.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, ok, password } from '../stack.mjs';
import { Authenticator, totp } from './authenticator.mjs';
import { newConfirmedUser } from './users.mjs';

// Where the stack's site is; browsers use authenticators on its pages.
const SITE = 'http://localhost:3000';

const level = async (supabase) => ok(await supabase.auth.mfa.getAuthenticatorAssuranceLevel());

test('a time-based code raises the session, and is asked for at the next sign-in', async () => {
  const { supabase, email } = await newConfirmedUser('kai');
  const factor = ok(await supabase.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'app' }));
  assert.match(factor.totp.qr_code, /^data:image\/svg\+xml/);
  const code = totp(factor.totp.secret);
  const wrong = await supabase.auth.mfa.challengeAndVerify({
    factorId: factor.id,
    code: code === '000000' ? '111111' : '000000',
  });
  assert.equal(wrong.error.code, 'mfa_verification_failed');
  ok(await supabase.auth.mfa.challengeAndVerify({ factorId: factor.id, code }));
  assert.equal((await level(supabase)).currentLevel, 'aal2');

  const again = client();
  ok(await again.auth.signInWithPassword({ email, password }));
  const { currentLevel, nextLevel } = await level(again);
  assert.deepEqual([currentLevel, nextLevel], ['aal1', 'aal2']);
  const refused = await again.auth.updateUser({ password: `${password} anew` });
  assert.equal(refused.error.code, 'insufficient_aal');
  // The next step's code: this one's is used up.
  const next = totp(factor.totp.secret, Date.now() + 30_000);
  ok(await again.auth.mfa.challengeAndVerify({ factorId: factor.id, code: next }));
  ok(await again.auth.updateUser({ password: `${password} anew` }));
  ok(await again.auth.mfa.unenroll({ factorId: factor.id }));
  assert.deepEqual(ok(await again.auth.mfa.listFactors()).totp, []);
});

test('an authenticator raises the session, on our pages only', async () => {
  const { supabase, email } = await newConfirmedUser('lou');
  const key = new Authenticator(SITE);
  const factor = ok(
    await supabase.auth.mfa.enroll({ factorType: 'webauthn', friendlyName: 'key' }),
  );
  const rp = { rpId: 'localhost', rpOrigins: [SITE] };
  const made = ok(await supabase.auth.mfa.challenge({ factorId: factor.id, webauthn: rp }));
  assert.equal(made.webauthn.type, 'create');
  ok(
    await supabase.auth.mfa.verify({
      factorId: factor.id,
      challengeId: made.id,
      webauthn: {
        ...rp,
        type: 'create',
        credential_response: key.create(made.webauthn.credential_options.publicKey),
      },
    }),
  );
  assert.equal((await level(supabase)).currentLevel, 'aal2');

  const again = client();
  ok(await again.auth.signInWithPassword({ email, password }));
  const answer = async (authenticator) => {
    const asked = ok(await again.auth.mfa.challenge({ factorId: factor.id, webauthn: rp }));
    assert.equal(asked.webauthn.type, 'request');
    const credential_response = authenticator.get(asked.webauthn.credential_options.publicKey);
    return again.auth.mfa.verify({
      factorId: factor.id,
      challengeId: asked.id,
      webauthn: { ...rp, type: 'request', credential_response },
    });
  };
  key.origin = 'http://localhost:3001';
  assert.equal((await answer(key)).error.code, 'mfa_verification_failed');
  key.origin = SITE;
  ok(await answer(key));
  assert.equal((await level(again)).currentLevel, 'aal2');
});
