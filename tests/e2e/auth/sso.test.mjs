// Single sign-on by SAML: supabase-js as it is, an identity provider by samlify.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { client, ok, serviceKey, url } from '../stack.mjs';
import { fragment } from './mail.mjs';
import { IdentityProvider } from './saml.mjs';

const newProvider = async () => {
  const domain = `${randomUUID()}.example`;
  const idp = new IdentityProvider(`ada@${domain}`);
  const response = await fetch(`${url}/auth/v1/admin/sso/providers`, {
    method: 'POST',
    headers: {
      apikey: serviceKey,
      authorization: `Bearer ${serviceKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ type: 'saml', metadata_xml: idp.metadata, domains: [domain] }),
  });
  assert.equal(response.status, 201, await response.clone().text());
  return { idp, domain, ...(await response.json()) };
};

// What an identity provider reads: without a key, as a browser would.
const ourMetadata = async () => {
  const response = await fetch(`${url}/auth/v1/sso/saml/metadata`);
  assert.equal(response.status, 200);
  return response.text();
};

const bring = (form) =>
  fetch(`${url}/auth/v1/sso/saml/acs`, { method: 'POST', body: form, redirect: 'manual' });

// A browser goes to the identity provider and back; where it lands.
const through = async (idp, address, wantMessageSigned, change = (xml) => xml) => {
  const form = await idp.answer(address, await ourMetadata(), wantMessageSigned);
  const xml = Buffer.from(form.get('SAMLResponse'), 'base64').toString();
  form.set('SAMLResponse', Buffer.from(change(xml)).toString('base64'));
  return new URL((await bring(form)).headers.get('location'));
};

test('a user of an identity provider signs in, whatever of the response is signed', async () => {
  const { idp, domain, id } = await newProvider();
  for (const wantMessageSigned of [false, true]) {
    const asked = ok(await client().auth.signInWithSSO({ domain }));
    const pairs = fragment(await through(idp, asked.url, wantMessageSigned));
    const { user } = ok(await client().auth.getUser(pairs.access_token));
    assert.equal(user.email, idp.email);
    assert.equal(user.app_metadata.provider, `sso:${id}`);
    assert.equal(user.identities[0].id, idp.email);
  }
});

test('with PKCE a single sign-on ends with a code', async () => {
  const { idp, id } = await newProvider();
  const supabase = client(undefined, { flowType: 'pkce' });
  const asked = ok(await supabase.auth.signInWithSSO({ providerId: id }));
  const code = (await through(idp, asked.url)).searchParams.get('code');
  const { session } = ok(await supabase.auth.exchangeCodeForSession(code));
  assert.equal(session.user.email, idp.email);
  const { error } = await supabase.auth.updateUser({ password: 'another password' });
  assert.equal(error.code, 'user_sso_managed');
});

test('a response that was changed is refused', async () => {
  const { idp, domain } = await newProvider();
  for (const wantMessageSigned of [false, true]) {
    const asked = ok(await client().auth.signInWithSSO({ domain }));
    const change = (xml) => xml.replace(idp.email, 'root@example.com');
    const landed = await through(idp, asked.url, wantMessageSigned, change);
    assert.equal(landed.searchParams.get('error_code'), 'validation_failed');
    const reason = 'SAML Assertion is not valid: its content is not what was signed';
    assert.equal(landed.searchParams.get('error_description'), reason);
  }
});

test('a domain without an identity provider is refused', async () => {
  const { error } = await client().auth.signInWithSSO({ domain: `${randomUUID()}.example` });
  assert.equal(error.code, 'sso_provider_not_found');
});
