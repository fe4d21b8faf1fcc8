// The main job, through the gateway, with supabase-js as its users have it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anonKey, client, newUser, ok, password, serviceKey, url } from './stack.mjs';

test('a stranger signs up, signs in and signs out', async () => {
  const { email, user } = await newUser('ada');
  assert.equal(user.email, email);

  const supabase = client();
  const wrong = await supabase.auth.signInWithPassword({ email, password: 'not this one' });
  assert.equal(wrong.error.code, 'invalid_credentials');

  const { session } = ok(await supabase.auth.signInWithPassword({ email, password }));
  assert.equal(session.user.id, user.id);
  assert.equal(ok(await supabase.auth.getUser()).user.id, user.id);

  ok({ data: null, ...(await supabase.auth.signOut()) });
  const after = await client().auth.getUser(session.access_token);
  assert.ok(after.error, 'the access token must not work on after signing out');
});

test('a session is refreshed, and the old refresh token leads nowhere new', async () => {
  const { supabase, session } = await newUser('bob');
  const refreshed = ok(await supabase.auth.refreshSession());
  assert.notEqual(refreshed.session.refresh_token, session.refresh_token);
  assert.equal(ok(await supabase.auth.getUser()).user.id, session.user.id);
});

test('a user changes their own data', async () => {
  const { supabase } = await newUser('cleo');
  ok(await supabase.auth.updateUser({ data: { nickname: 'C' } }));
  const { user } = ok(await supabase.auth.getUser());
  assert.equal(user.user_metadata.nickname, 'C');
});

test('rows are inserted, selected with a filter, updated and deleted', async () => {
  const { supabase, user } = await newUser('dora');
  const drafts = [
    { title: 'First', body: 'one' },
    { title: 'Second', body: 'two' },
  ];
  const inserted = ok(await supabase.from('posts').insert(drafts).select());
  assert.deepEqual(inserted.map((post) => post.author_id), [user.id, user.id]);

  const [first] = inserted;
  const found = ok(await supabase.from('posts').select('id,title').eq('title', 'First'));
  assert.deepEqual(found, [{ id: first.id, title: 'First' }]);

  const counted = await supabase
    .from('posts')
    .select('id', { count: 'exact', head: true })
    .eq('author_id', user.id);
  assert.equal(counted.count, 2);

  const updated = ok(
    await supabase.from('posts').update({ title: 'Changed' }).eq('id', first.id).select().single(),
  );
  assert.equal(updated.title, 'Changed');

  ok(await supabase.from('posts').delete().eq('id', first.id));
  const rest = ok(await supabase.from('posts').select('title').eq('author_id', user.id));
  assert.deepEqual(rest, [{ title: 'Second' }]);
});

test('rows are paged, ordered and upserted', async () => {
  const { supabase } = await newUser('eve');
  const names = ['a', 'b', 'c', 'd', 'e'];
  ok(await supabase.from('projects').insert(names.map((name) => ({ name }))));

  const page = await supabase
    .from('projects')
    .select('name', { count: 'exact' })
    .order('name', { ascending: false })
    .range(1, 2);
  assert.deepEqual(ok(page).map(({ name }) => name), ['d', 'c']);
  assert.equal(page.count, 5);

  const [project] = ok(await supabase.from('projects').select('id').eq('name', 'a'));
  ok(await supabase.from('projects').upsert({ id: project.id, name: 'renamed' }));
  const renamed = ok(await supabase.from('projects').select('name').eq('id', project.id).single());
  assert.equal(renamed.name, 'renamed');
});

test('related rows are embedded', async () => {
  const { supabase, user } = await newUser('fred');
  ok(await supabase.from('posts').insert({ title: 'Mine', body: 'x' }));
  const posts = ok(await supabase.from('posts').select('title,author:users(id)').eq('title', 'Mine'));
  assert.deepEqual(posts, [{ title: 'Mine', author: { id: user.id } }]);
  const me = ok(await supabase.from('users').select('id,posts(title)').eq('id', user.id).single());
  assert.deepEqual(me.posts, [{ title: 'Mine' }]);
});

test('a second user sees and changes none of the first one\'s rows', async () => {
  const [first, second] = await Promise.all([newUser('gina'), newUser('hans')]);
  const project = ok(
    await first.supabase.from('projects').insert({ name: 'secret' }).select().single(),
  );
  assert.deepEqual(ok(await second.supabase.from('projects').select().eq('id', project.id)), []);
  assert.deepEqual(
    ok(await second.supabase.from('projects').update({ name: 'x' }).eq('id', project.id).select()),
    [],
  );
  assert.deepEqual(
    ok(await second.supabase.from('projects').delete().eq('id', project.id).select()),
    [],
  );
  const forged = await second.supabase
    .from('projects')
    .insert({ name: 'forged', owner_id: first.user.id });
  assert.equal(forged.error.code, '42501');
  const kept = ok(await first.supabase.from('projects').select('name').eq('id', project.id).single());
  assert.equal(kept.name, 'secret');
});

test('anon sees only what the policies show to everybody', async () => {
  const { supabase, user } = await newUser('ines');
  ok(
    await supabase.from('posts').insert([
      { title: 'draft', body: 'x', published: false },
      { title: 'public', body: 'x', published: true },
    ]),
  );
  const seen = ok(await client().from('posts').select('title').eq('author_id', user.id));
  assert.deepEqual(seen, [{ title: 'public' }]);
  assert.deepEqual(ok(await client().from('projects').select()), []);
  const refused = await client().from('posts').insert({ title: 'no', body: 'no' });
  assert.equal(refused.error.code, '42501');
});

test('the service role sees everything and administers users', async () => {
  const { supabase, user } = await newUser('jo');
  const project = ok(await supabase.from('projects').insert({ name: 'any' }).select().single());
  const admin = client(serviceKey);
  assert.equal(ok(await admin.from('projects').select().eq('id', project.id)).length, 1);
  assert.equal(ok(await admin.auth.admin.getUserById(user.id)).user.id, user.id);
  ok(await admin.auth.admin.deleteUser(user.id));
  const gone = await admin.auth.admin.getUserById(user.id);
  assert.equal(gone.error.code, 'user_not_found');

  const notAdmin = await client().auth.admin.listUsers();
  assert.ok(notAdmin.error, 'the anon key must not list users');
});

test('the gateway refuses a missing or unknown key in its envelope', async () => {
  const missing = await fetch(`${url}/rest/v1/posts`);
  assert.equal(missing.status, 401);
  assert.equal((await missing.json()).error.code, 'missing_api_key');
  const unknown = await fetch(`${url}/rest/v1/posts`, { headers: { apikey: `${anonKey}x` } });
  assert.equal(unknown.status, 401);
  assert.equal((await unknown.json()).error.code, 'invalid_api_key');
});
