// Signing in at an OpenID Connect provider that was added while the stack runs.
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { client, ok, serviceKey, url } from '../stack.mjs';
import { fragment } from './mail.mjs';
import { Provider } from './provider.mjs';
import { newConfirmedUser } from './users.mjs';

const addProvider = async (provider, identifier) => {
  const response = await fetch(`${url}/auth/v1/admin/custom-providers`, {
    method: 'POST',
    headers: {
      apikey: serviceKey,
      authorization: `Bearer ${serviceKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      provider_type: 'oidc',
      identifier,
      name: 'Acme',
      client_id: Provider.clientId,
      client_secret: Provider.clientSecret,
      issuer: provider.issuer,
    }),
  });
  assert.equal(response.status, 201, await response.text());
};

// Where a browser is led from `address`, answers of the stack taken from where it is.
const step = async (address) => {
  const target = new URL(address);
  const isOurs = target.pathname.startsWith('/auth/v1/');
  const response = await fetch(isOurs ? `${url}${target.pathname}${target.search}` : target, {
    redirect: 'manual',
  });
  assert.equal(response.status, 302, await response.text());
  return new URL(response.headers.get('location'));
};

// A provider that knows a new user, and what it is called here.
const newProvider = async (t) => {
  const email = `quin-${randomUUID()}@example.com`;
  const provider = new Provider({ sub: randomUUID(), email, email_verified: true, name: 'Quin' });
  await provider.start();
  t.after(() => provider.stop());
  const identifier = `custom:acme-${randomUUID().slice(0, 8)}`;
  await addProvider(provider, identifier);
  return { provider, identifier, email };
};

const options = { skipBrowserRedirect: true };

test('a user of a provider signs in, with tokens or with a code', async (t) => {
  const { identifier, email } = await newProvider(t);
  const asked = ok(await client().auth.signInWithOAuth({ provider: identifier, options }));
  const pairs = fragment(await step(await step(await step(asked.url))));
  const { user } = ok(await client().auth.getUser(pairs.access_token));
  assert.equal(user.email, email);
  assert.equal(user.identities[0].provider, identifier);

  const supabase = client(undefined, { flowType: 'pkce' });
  const again = ok(await supabase.auth.signInWithOAuth({ provider: identifier, options }));
  const back = await step(await step(await step(again.url)));
  const code = back.searchParams.get('code');
  const { session } = ok(await supabase.auth.exchangeCodeForSession(code));
  assert.equal(session.user.id, user.id);
});

test('an identity is linked to a user, and unlinked', async (t) => {
  const { identifier } = await newProvider(t);
  const { supabase, email } = await newConfirmedUser('vic');
  const asked = ok(await supabase.auth.linkIdentity({ provider: identifier, options }));
  const pairs = fragment(await step(await step(asked.url)));
  assert.equal(ok(await client().auth.getUser(pairs.access_token)).user.email, email);
  const { identities } = ok(await supabase.auth.getUserIdentities());
  assert.deepEqual(identities.map((one) => one.provider).sort(), [identifier, 'email']);
  ok(await supabase.auth.unlinkIdentity(identities.find((one) => one.provider === identifier)));
  assert.equal(ok(await supabase.auth.getUserIdentities()).identities.length, 1);
});

test('an ID token signs its user in, with the nonce it was made for', async (t) => {
  const { provider, identifier, email } = await newProvider(t);
  const nonce = randomUUID();
  const token = provider.idToken(createHash('sha256').update(nonce).digest('hex'));
  const wrong = { provider: identifier, token, nonce: 'another' };
  assert.ok((await client().auth.signInWithIdToken(wrong)).error);
  const right = { provider: identifier, token, nonce };
  assert.equal(ok(await client().auth.signInWithIdToken(right)).user.email, email);
});
