// What auth sends by mail, read back and followed, as supabase-js does it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, codeIn, mailTo, newUser, ok, password } from './stack.mjs';

test('a lost password is replaced with the code in the mail', async () => {
  const { email } = await newUser('kai');
  const supabase = client();
  ok(await supabase.auth.resetPasswordForEmail(email));
  const mail = await mailTo(email);
  assert.equal(mail.subject, 'Reset your password');
  ok(await supabase.auth.verifyOtp({ email, token: codeIn(mail), type: 'recovery' }));
  ok(await supabase.auth.updateUser({ password: `${password} anew` }));

  const again = client();
  ok(await again.auth.signInWithPassword({ email, password: `${password} anew` }));
  const old = await again.auth.signInWithPassword({ email, password });
  assert.equal(old.error.code, 'invalid_credentials');
});

test('a user gets in with the link in the mail, once', async () => {
  const { email, user } = await newUser('lou');
  ok(await client().auth.signInWithOtp({ email, options: { shouldCreateUser: false } }));
  const mail = await mailTo(email);
  const token_hash = new URL(mail.text.match(/http\S+\/auth\/v1\/verify\?[^\s)]+/)[0]).searchParams.get('token');
  const session = ok(await client().auth.verifyOtp({ token_hash, type: 'magiclink' }));
  assert.equal(session.user.id, user.id);
  const second = await client().auth.verifyOtp({ token_hash, type: 'magiclink' });
  assert.equal(second.error.code, 'otp_expired');
});

test('mail comes in the reader\'s language', async () => {
  const { supabase, email } = await newUser('mia');
  ok(await supabase.auth.updateUser({ data: { locale: 'de-AT' } }));
  ok(await client().auth.resetPasswordForEmail(email));
  assert.equal((await mailTo(email)).subject, 'Setzen Sie Ihr Passwort zurück');
});
