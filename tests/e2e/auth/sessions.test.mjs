// Sessions and their tokens, driven by supabase-js.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, codeIn, mailTo, ok, password, serviceKey, url } from '../stack.mjs';
import { newConfirmedUser } from './users.mjs';

test('a refresh token that is used too late ends its session', async () => {
  const { supabase } = await newConfirmedUser('ned');
  const first = ok(await supabase.auth.getSession()).session.refresh_token;
  const second = ok(await supabase.auth.refreshSession()).session.refresh_token;
  assert.notEqual(second, first);
  const third = ok(await supabase.auth.refreshSession()).session.refresh_token;
  for (const refresh_token of [first, third]) {
    const { error } = await client().auth.refreshSession({ refresh_token });
    assert.equal(error.code, 'refresh_token_already_used');
  }
});

test('signing out ends this session alone, or all of them', async () => {
  const { supabase, email } = await newConfirmedUser('ola');
  const elsewhere = client();
  const { session } = ok(await elsewhere.auth.signInWithPassword({ email, password }));
  assert.equal((await supabase.auth.signOut({ scope: 'local' })).error, null);
  ok(await elsewhere.auth.getUser());
  ok(await supabase.auth.signInWithPassword({ email, password }));
  assert.equal((await supabase.auth.signOut({ scope: 'global' })).error, null);
  const gone = await client().auth.getUser(session.access_token);
  assert.equal(gone.error.name, 'AuthSessionMissingError');
});

test('a session is moved to another client', async () => {
  const { supabase, user } = await newConfirmedUser('pam');
  const { access_token, refresh_token } = ok(await supabase.auth.getSession()).session;
  const moved = ok(await client().auth.setSession({ access_token, refresh_token }));
  assert.equal(moved.user.id, user.id);
});

test('a code by mail proves who is there when the password changes', async () => {
  const { supabase, email } = await newConfirmedUser('rex');
  ok(await supabase.auth.reauthenticate());
  const isWanted = (mail) => /is your verification code$/.test(mail.subject);
  const nonce = codeIn(await mailTo(email, isWanted));
  ok(await supabase.auth.updateUser({ password: `${password} anew`, nonce }));
  ok(await client().auth.signInWithPassword({ email, password: `${password} anew` }));
});

test('a weak password is refused with its reasons', async () => {
  const { supabase } = await newConfirmedUser('sue');
  const { error } = await supabase.auth.updateUser({ password: 'short' });
  assert.equal(error.name, 'AuthWeakPasswordError');
  assert.deepEqual(error.reasons, ['length']);
});

test('claims are what the hook made of them', async () => {
  const { supabase, user } = await newConfirmedUser('tom');
  const { claims } = ok(await supabase.auth.getClaims());
  assert.deepEqual([claims.sub, claims.plan, claims.aal], [user.id, 'free', 'aal1']);
});

test('a hook decides who becomes a user', async () => {
  const email = `eve-${Date.now()}@stranger.example`;
  const { error } = await client().auth.signUp({ email, password });
  assert.deepEqual([error.status, error.message], [403, 'Strangers stay outside']);
});

test('what happened is in the audit log', async () => {
  const { email } = await newConfirmedUser('una');
  const query = `query=author:${encodeURIComponent(email)}`;
  const headers = { apikey: serviceKey, authorization: `Bearer ${serviceKey}` };
  const response = await fetch(`${url}/auth/v1/admin/audit?${query}`, { headers });
  const actions = (await response.json()).map((entry) => entry.payload.action);
  assert.ok(actions.includes('login'), actions.join());
});
