// Applications of others: an OAuth client library as it is, and supabase-js for the page that asks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { client, ok, serviceKey, url } from '../stack.mjs';
import { newConfirmedUser } from './users.mjs';

const back = 'https://app.example.com/callback';

// The stack under test listens elsewhere than where its settings say it is reached, and without TLS.
const metadata = await fetch(`${url}/auth/v1/.well-known/openid-configuration`);
const { issuer } = await metadata.json();
const reach = (address, init) => fetch(String(address).replace(new URL(issuer).origin, url), init);
const insecure = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: reach };

const discovered = async () => {
  const response = await oauth.discoveryRequest(new URL(issuer), insecure);
  return oauth.processDiscoveryResponse(new URL(issuer), response);
};

// An application that has registered itself.
const registered = async (server) => {
  const wishes = {
    client_name: 'Acme',
    redirect_uris: [back],
    token_endpoint_auth_method: 'client_secret_basic',
  };
  const response = await oauth.dynamicClientRegistrationRequest(server, wishes, insecure);
  return oauth.processDynamicClientRegistrationResponse(response);
};

// Where a browser that the application sends away is led.
const sent = async (server, application, verifier, state) => {
  const address = new URL(server.authorization_endpoint);
  const pairs = {
    client_id: application.client_id,
    redirect_uri: back,
    response_type: 'code',
    scope: 'email profile',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(pairs)) address.searchParams.set(name, value);
  const response = await reach(address, { redirect: 'manual' });
  return new URL(response.headers.get('location'));
};

// A new user who agrees, and how the application exchanges the code it gets for that.
const consenting = async (server, application, authenticate, label) => {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const page = await sent(server, application, verifier, state);
  assert.equal(page.pathname, '/consent');

  const { supabase, email, user } = await newConfirmedUser(label);
  const id = page.searchParams.get('authorization_id');
  const details = ok(await supabase.auth.oauth.getAuthorizationDetails(id));
  assert.equal(details.client.name, 'Acme');
  assert.equal(details.user.email, email);
  const agreed = ok(await supabase.auth.oauth.approveAuthorization(id));

  const landed = new URL(agreed.redirect_url);
  const answer = oauth.validateAuthResponse(server, application, landed, state);
  const exchange = () =>
    oauth
      .authorizationCodeGrantRequest(
        server, application, authenticate, answer, back, verifier, insecure,
      )
      .then((response) => oauth.processAuthorizationCodeResponse(server, application, response));
  return { supabase, email, user, exchange };
};

const refreshing = (server, application, authenticate) => (token) =>
  oauth
    .refreshTokenGrantRequest(server, application, authenticate, token, insecure)
    .then((response) => oauth.processRefreshTokenResponse(server, application, response));

test('an application signs a user in who agrees, until the user takes that back', async () => {
  const server = await discovered();
  const application = await registered(server);
  const authenticate = oauth.ClientSecretBasic(application.client_secret);
  const { supabase, email, user, exchange } =
    await consenting(server, application, authenticate, 'consenting');
  const tokens = await exchange();

  const asked = await oauth.userInfoRequest(server, application, tokens.access_token, insecure);
  const claims = await oauth.processUserInfoResponse(server, application, user.id, asked);
  assert.equal(claims.email, email);
  const refresh = refreshing(server, application, authenticate);
  const renewed = await refresh(tokens.refresh_token);
  assert.ok(renewed.access_token);

  const grants = ok(await supabase.auth.oauth.listGrants());
  assert.deepEqual(grants.map((given) => given.client.id), [application.client_id]);
  ok(await supabase.auth.oauth.revokeGrant({ clientId: application.client_id }));
  await assert.rejects(refresh(renewed.refresh_token), { error: 'invalid_grant' });
});

test('a code that comes a second time ends what the first one led to', async () => {
  const server = await discovered();
  const application = await registered(server);
  const authenticate = oauth.ClientSecretBasic(application.client_secret);
  const { exchange } = await consenting(server, application, authenticate, 'robbed');
  const tokens = await exchange();
  await assert.rejects(exchange(), { error: 'invalid_grant' });
  const refresh = refreshing(server, application, authenticate);
  await assert.rejects(refresh(tokens.refresh_token), { error: 'invalid_grant' });
});

test('an application is told when a user does not agree', async () => {
  const server = await discovered();
  const application = await registered(server);
  const state = oauth.generateRandomState();
  const page = await sent(server, application, oauth.generateRandomCodeVerifier(), state);
  const { supabase } = await newConfirmedUser('declining');
  const id = page.searchParams.get('authorization_id');
  ok(await supabase.auth.oauth.getAuthorizationDetails(id));
  const denied = ok(await supabase.auth.oauth.denyAuthorization(id));
  const landed = new URL(denied.redirect_url);
  assert.throws(() => oauth.validateAuthResponse(server, application, landed, state), {
    error: 'access_denied',
  });
});

test('an admin manages the applications', async () => {
  const admin = client(serviceKey).auth.admin.oauth;
  const made = ok(await admin.createClient({ client_name: 'Globex', redirect_uris: [back] }));
  const { clients } = ok(await admin.listClients({ perPage: 1000 }));
  assert.ok(clients.some((known) => known.client_id === made.client_id));
  const renewed = ok(await admin.regenerateClientSecret(made.client_id));
  assert.notEqual(renewed.client_secret, made.client_secret);
  ok(await admin.deleteClient(made.client_id));
  const { error } = await admin.getClient(made.client_id);
  assert.equal(error.code, 'oauth_client_not_found');
});
