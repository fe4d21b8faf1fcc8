// Numbers, driven by supabase-js: the hook for text messages keeps them in a table.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { client, ok, password, serviceKey } from '../stack.mjs';
import { newConfirmedUser } from './users.mjs';

const newNumber = () => `1555${randomInt(1_000_000, 9_999_999)}`;

// The newest of so many messages to a number, as soon as they are there: they leave after the answer.
const textTo = async (phone, count = 1) => {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const query = client(serviceKey).from('texts').select('code, kind').eq('phone', phone);
    const texts = ok(await query.order('id', { ascending: false }));
    if (texts.length >= count) return texts[0];
    await sleep(50);
  }
  throw new Error(`fewer than ${count} messages to ${phone}`);
};

// A user who signed in with a number.
const signedIn = async () => {
  const phone = newNumber();
  const supabase = client();
  ok(await supabase.auth.signInWithOtp({ phone: `+${phone}` }));
  const { code: token } = await textTo(phone);
  const { user } = ok(await supabase.auth.verifyOtp({ phone, token, type: 'sms' }));
  return { supabase, phone, token, user };
};

test('a code by text message makes an account and signs in, once', async () => {
  const { phone, token, user } = await signedIn();
  assert.equal(user.phone, phone);
  const again = await client().auth.verifyOtp({ phone, token, type: 'sms' });
  assert.equal(again.error.code, 'otp_expired');
});

test('a number signs up with a password, and the message is sent again', async () => {
  const phone = newNumber();
  const supabase = client();
  ok(await supabase.auth.signUp({ phone, password }));
  const early = await supabase.auth.signInWithPassword({ phone, password });
  assert.equal(early.error.code, 'phone_not_confirmed');
  ok(await supabase.auth.resend({ type: 'sms', phone }));
  const { code: token } = await textTo(phone, 2);
  ok(await supabase.auth.verifyOtp({ phone, token, type: 'sms' }));
  ok(await client().auth.signInWithPassword({ phone, password }));
});

test('a new number counts once it is confirmed', async () => {
  const { supabase, phone } = await signedIn();
  const other = newNumber();
  const { user } = ok(await supabase.auth.updateUser({ phone: other }));
  assert.deepEqual([user.phone, user.new_phone], [phone, other]);
  const { code: token, kind } = await textTo(other);
  assert.equal(kind, 'phone_change');
  const changed = await supabase.auth.verifyOtp({ phone: other, token, type: 'phone_change' });
  assert.equal(ok(changed).user.phone, other);
});

test('a code to a number is a second factor', async () => {
  const { supabase } = await newConfirmedUser('mia');
  const phone = newNumber();
  const enrolled = await supabase.auth.mfa.enroll({ factorType: 'phone', phone: `+${phone}` });
  const factorId = ok(enrolled).id;
  const { id: challengeId } = ok(await supabase.auth.mfa.challenge({ factorId }));
  const { code } = await textTo(phone);
  ok(await supabase.auth.mfa.verify({ factorId, challengeId, code }));
  const level = ok(await supabase.auth.mfa.getAuthenticatorAssuranceLevel());
  assert.equal(level.currentLevel, 'aal2');
  assert.equal(level.currentAuthenticationMethods[0].method, 'mfa/phone');
});
