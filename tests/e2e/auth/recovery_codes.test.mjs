// Recovery codes, driven by the first auth-js that has them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthClient } from 'auth-js-with-recovery-codes';
import { anonKey, ok, password, url } from '../stack.mjs';
import { totp } from './authenticator.mjs';
import { newConfirmedUser } from './users.mjs';

const client = () =>
  new AuthClient({
    url: `${url}/auth/v1`,
    headers: { apikey: anonKey },
    autoRefreshToken: false,
    persistSession: false,
    experimental: { recoveryCodes: true },
  });

test('codes are made, used once each, replaced and given up', async () => {
  const { email } = await newConfirmedUser('noa');
  const auth = client();
  ok(await auth.signInWithPassword({ email, password }));
  assert.equal((await auth.mfa.recoveryCodes.generate()).error.code, 'insufficient_aal');
  const factor = ok(await auth.mfa.enroll({ factorType: 'totp', friendlyName: 'app' }));
  const code = totp(factor.totp.secret);
  ok(await auth.mfa.challengeAndVerify({ factorId: factor.id, code }));
  const { codes } = ok(await auth.mfa.recoveryCodes.generate());
  assert.equal(codes.length, 10);

  const again = client();
  ok(await again.signInWithPassword({ email, password }));
  ok(await again.mfa.recoveryCodes.verify({ code: codes[0] }));
  const { currentLevel } = ok(await again.mfa.getAuthenticatorAssuranceLevel());
  assert.equal(currentLevel, 'aal2');
  assert.equal(ok(await again.mfa.recoveryCodes.getStatus()).remaining, 9);
  const used = await again.mfa.recoveryCodes.verify({ code: codes[0] });
  assert.equal(used.error.code, 'mfa_verification_failed');
  assert.equal(ok(await again.mfa.listFactors()).recovery_code.length, 1);

  const { codes: others } = ok(await again.mfa.recoveryCodes.regenerate());
  const old = await again.mfa.recoveryCodes.verify({ code: codes[1] });
  assert.equal(old.error.code, 'mfa_verification_failed');
  ok(await again.mfa.recoveryCodes.verify({ code: others[0] }));
  ok(await auth.mfa.recoveryCodes.unenroll());
  assert.equal((await auth.mfa.recoveryCodes.getStatus()).error.code, 'mfa_factor_not_found');
});
