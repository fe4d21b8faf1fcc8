// Documents over REST, through the gateway, as two users of supabase-js.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anonKey, newUser, url } from './stack.mjs';

const collection = `${url}/mongo/v1/collections/notes/documents`;

// Calls the document API as a user; gives status and body.
const call = async ({ session }, method, path, body) => {
  const response = await fetch(`${collection}${path}`, {
    method,
    headers: {
      apikey: anonKey,
      Authorization: `Bearer ${session.access_token}`,
      'Content-Type': 'application/json',
    },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, body: response.status === 204 ? null : await response.json() };
};

test('a document is created, listed, changed and deleted by its owner', async () => {
  const owner = await newUser('kim');
  const created = await call(owner, 'POST', '', { text: 'hello', tags: ['a'] });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const id = created.body.data._id;

  const filter = encodeURIComponent(JSON.stringify({ tags: 'a' }));
  const listed = await call(owner, 'GET', `?filter=${filter}&count=exact`);
  assert.equal(listed.body.meta.pagination.total, 1, JSON.stringify(listed.body));

  const changed = await call(owner, 'PATCH', `/${id}`, { text: 'changed', tags: null });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.equal(changed.body.data.text, 'changed');
  assert.equal('tags' in changed.body.data, false);

  const deleted = await call(owner, 'DELETE', `/${id}`);
  assert.ok([200, 204].includes(deleted.status), JSON.stringify(deleted.body));
  assert.equal((await call(owner, 'GET', `/${id}`)).status, 404);
});

test('another user\'s document is not found, and cannot be claimed', async () => {
  const [owner, other] = await Promise.all([newUser('lea'), newUser('max')]);
  const created = await call(owner, 'POST', '', { text: 'mine' });
  const id = created.body.data._id;
  for (const [method, body] of [['GET'], ['PATCH', { text: 'x' }], ['PUT', { text: 'x' }], ['DELETE']]) {
    const answer = await call(other, method, `/${id}`, body);
    assert.equal(answer.status, 404, `${method}: ${JSON.stringify(answer.body)}`);
  }
  const claimed = await call(other, 'POST', '', { text: 'x', owner_id: owner.user.id });
  assert.equal(claimed.status, 422);
  assert.equal(claimed.body.error.code, 'reserved_field');
  assert.equal((await call(owner, 'GET', `/${id}`)).body.data.text, 'mine');
});
