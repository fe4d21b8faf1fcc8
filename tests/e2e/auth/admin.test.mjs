// The admin API, driven by supabase-js with the service key.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { client, ok, password, serviceKey } from '../stack.mjs';
import { follow, fragment } from './mail.mjs';
import { newConfirmedUser } from './users.mjs';

const { admin } = client(serviceKey).auth;
const address = (name) => `${name}-${randomUUID()}@example.com`;

test('an invitation leads to an account', async () => {
  const email = address('mia');
  const { user } = ok(await admin.inviteUserByEmail(email, { data: { team: 'a' } }));
  assert.ok(user.invited_at);
  const pairs = fragment(await follow(email));
  assert.equal(pairs.type, 'invite');
  const accepted = ok(await client().auth.getUser(pairs.access_token));
  assert.equal(accepted.user.user_metadata.team, 'a');
});

test('a generated link signs in whom it was made for', async () => {
  const { email, user } = await newConfirmedUser('ned');
  const { properties } = ok(await admin.generateLink({ type: 'magiclink', email }));
  const { hashed_token: token_hash } = properties;
  const { session } = ok(await client().auth.verifyOtp({ token_hash, type: 'magiclink' }));
  assert.equal(session.user.id, user.id);
});

test('users are paged, changed, banned and removed', async () => {
  const { user, email } = await newConfirmedUser('ole');
  const page = ok(await admin.listUsers({ page: 1, perPage: 1 }));
  assert.equal(page.users.length, 1);
  assert.ok(page.total >= 1);
  const changed = ok(await admin.updateUserById(user.id, { app_metadata: { plan: 'pro' } }));
  assert.equal(changed.user.app_metadata.plan, 'pro');
  ok(await admin.updateUserById(user.id, { ban_duration: '1h' }));
  const banned = await client().auth.signInWithPassword({ email, password });
  assert.equal(banned.error.code, 'user_banned');
  ok(await admin.deleteUser(user.id, true));
  const gone = await client().auth.signInWithPassword({ email, password });
  assert.equal(gone.error.code, 'invalid_credentials');
});

test('a session is ended with its token', async () => {
  const { supabase } = await newConfirmedUser('pia');
  const { session } = ok(await supabase.auth.getSession());
  const { error } = await admin.signOut(session.access_token);
  assert.equal(error, null);
  assert.ok((await client().auth.getUser(session.access_token)).error);
});
