// Ways in that go through a mailbox, driven by supabase-js on a stack that confirms addresses.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { client, codeIn, mailTo, ok, password } from '../stack.mjs';
import { follow, fragment } from './mail.mjs';

const address = (name) => `${name}-${randomUUID()}@example.com`;

// A confirmed, signed-in user with a client.
const confirmed = async (name, options) => {
  const email = address(name);
  const supabase = client(undefined, options);
  ok(await supabase.auth.signUp({ email, password }));
  const token = codeIn(await mailTo(email));
  const { user } = ok(await client().auth.verifyOtp({ email, token, type: 'signup' }));
  ok(await supabase.auth.signInWithPassword({ email, password }));
  return { supabase, email, user };
};

test('a sign-up is confirmed by the link in the mail', async () => {
  const email = address('ada');
  const supabase = client();
  const { session, user } = ok(await supabase.auth.signUp({ email, password }));
  assert.equal(session, null);
  const early = await supabase.auth.signInWithPassword({ email, password });
  assert.equal(early.error.code, 'email_not_confirmed');

  const pairs = fragment(await follow(email));
  assert.equal(pairs.type, 'signup');
  const tokens = { access_token: pairs.access_token, refresh_token: pairs.refresh_token };
  assert.equal(ok(await client().auth.setSession(tokens)).user.id, user.id);
  ok(await supabase.auth.signInWithPassword({ email, password }));
});

test('a sign-up is confirmed by the code in the mail, once', async () => {
  const email = address('bob');
  const supabase = client();
  ok(await supabase.auth.signUp({ email, password, options: { data: { name: 'Bob' } } }));
  const token = codeIn(await mailTo(email));
  const { session } = ok(await supabase.auth.verifyOtp({ email, token, type: 'email' }));
  assert.equal(session.user.user_metadata.name, 'Bob');
  const again = await client().auth.verifyOtp({ email, token, type: 'email' });
  assert.equal(again.error.code, 'otp_expired');
});

test('a second sign-up with an address tells nothing, and changes nothing', async () => {
  const { email } = await confirmed('cleo');
  const decoy = ok(await client().auth.signUp({ email, password: 'another password' }));
  assert.equal(decoy.session, null);
  assert.deepEqual(decoy.user.identities, []);
  ok(await client().auth.signInWithPassword({ email, password }));
});

test('a magic link makes an account and signs in', async () => {
  const email = address('dora');
  ok(await client().auth.signInWithOtp({ email }));
  const pairs = fragment(await follow(email));
  const { user } = ok(await client().auth.getUser(pairs.access_token));
  assert.equal(user.email, email);
  const unknown = await client().auth.signInWithOtp({
    email: address('nobody'),
    options: { shouldCreateUser: false },
  });
  assert.equal(unknown.error.code, 'otp_disabled');
});

test('with PKCE a link yields a code that only its requester can exchange', async () => {
  const email = address('eve');
  const supabase = client(undefined, { flowType: 'pkce' });
  ok(await supabase.auth.signUp({ email, password }));
  const code = (await follow(email)).searchParams.get('code');
  assert.ok(code);
  const { session } = ok(await supabase.auth.exchangeCodeForSession(code));
  assert.equal(session.user.email, email);
  ok(await supabase.auth.signInWithPassword({ email, password }));
});

test('a lost password is replaced by way of a PKCE link', async () => {
  const { supabase, email } = await confirmed('fred', { flowType: 'pkce' });
  ok(await supabase.auth.signOut().then((result) => ({ data: null, ...result })));
  ok(await supabase.auth.resetPasswordForEmail(email));
  const reset = (mail) => mail.text.includes('type=recovery');
  const code = (await follow(email, reset)).searchParams.get('code');
  ok(await supabase.auth.exchangeCodeForSession(code));
  ok(await supabase.auth.updateUser({ password: `${password} anew` }));
  const old = await client().auth.signInWithPassword({ email, password });
  assert.equal(old.error.code, 'invalid_credentials');
  ok(await client().auth.signInWithPassword({ email, password: `${password} anew` }));
});

test('a new address counts once both have confirmed', async () => {
  const { supabase, email } = await confirmed('gina');
  const other = address('gina-anew');
  const { user } = ok(await supabase.auth.updateUser({ email: other }));
  assert.equal(user.new_email, other);
  const change = (mail) => mail.text.includes('type=email_change');
  const half = fragment(await follow(email, change));
  assert.match(half.message, /other email/);
  const pairs = fragment(await follow(other, change));
  const changed = ok(await client().auth.getUser(pairs.access_token));
  assert.equal(changed.user.email, other);
});

test('an anonymous user becomes permanent with an address', async () => {
  const supabase = client();
  const { user } = ok(await supabase.auth.signInAnonymously());
  assert.equal(user.is_anonymous, true);
  const email = address('hans');
  ok(await supabase.auth.updateUser({ email }));
  const pairs = fragment(await follow(email));
  const permanent = ok(await client().auth.getUser(pairs.access_token));
  assert.equal(permanent.user.id, user.id);
  assert.equal(permanent.user.is_anonymous, false);
});

test('a mail that did not arrive is sent again, and the first code is dead', async () => {
  const email = address('ines');
  const supabase = client();
  ok(await supabase.auth.signUp({ email, password }));
  const first = codeIn(await mailTo(email));
  ok(await supabase.auth.resend({ type: 'signup', email }));
  const second = codeIn(await mailTo(email, (mail) => codeIn(mail) !== first));
  const dead = await supabase.auth.verifyOtp({ email, token: first, type: 'signup' });
  assert.equal(dead.error.code, 'otp_expired');
  ok(await supabase.auth.verifyOtp({ email, token: second, type: 'signup' }));
});

test('signing out elsewhere leaves this session alone', async () => {
  const { supabase, email } = await confirmed('jo');
  const elsewhere = client();
  const { session } = ok(await elsewhere.auth.signInWithPassword({ email, password }));
  const signedOut = await supabase.auth.signOut({ scope: 'others' });
  assert.equal(signedOut.error, null);
  ok(await supabase.auth.getUser());
  assert.ok((await client().auth.getUser(session.access_token)).error);
});
