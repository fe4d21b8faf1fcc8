// The REST API, through the gateway, with postgrest-js as it is. `scripts/e2e.sh` makes the tables of
// clients.sql.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { PostgrestClient } from '@supabase/postgrest-js';
import { anonKey, newUser, ok, url } from './stack.mjs';

const rest = (token = anonKey, options = {}) =>
  new PostgrestClient(`${url}/rest/v1`, {
    headers: { apikey: anonKey, Authorization: `Bearer ${token}` },
    ...options,
  });

// A client of a new user who has two shelves and five books.
const reader = async () => {
  const { session } = await newUser('reader');
  const client = rest(session.access_token);
  const shelves = ok(
    await client
      .from('shelves')
      .insert([
        { name: 'novels', tags: ['red', 'tall'], about: { floor: 1, by: { name: 'Ada' } } },
        { name: 'essays', tags: ['red'], about: { floor: 2 } },
      ])
      .select('id,name'),
  );
  const [novels, essays] = shelves.map(({ id }) => id);
  ok(
    await client.from('books').insert([
      { shelf_id: novels, title: 'Alpha rising', pages: 100, lent: '[2026-01-01,2026-02-01)' },
      { shelf_id: novels, title: 'Beta, quoted', pages: 200, lent: null },
      { shelf_id: novels, title: 'Gamma (rays)', pages: 300, lent: '[2026-03-01,2026-04-01)' },
      { shelf_id: essays, title: 'Delta falls', pages: 400, lent: null },
      { shelf_id: null, title: 'epsilon', pages: 500, lent: null },
    ]),
  );
  return { client, novels, essays };
};

let shared;
before(async () => {
  shared = await reader();
});
const titles = async (filter) => {
  const found = await filter(shared.client.from('books').select('title')).order('pages');
  return ok(found).map(({ title }) => title[0]).join('');
};

test('every filter finds its rows', async () => {
  const table = [
    ['A', (books) => books.eq('title', 'Alpha rising')],
    ['B', (books) => books.eq('title', 'Beta, quoted')],
    ['BGDe', (books) => books.neq('title', 'Alpha rising')],
    ['De', (books) => books.gt('pages', 300)],
    ['GDe', (books) => books.gte('pages', 300)],
    ['AB', (books) => books.lt('pages', 300)],
    ['ABG', (books) => books.lte('pages', 300)],
    ['A', (books) => books.like('title', 'Al%')],
    ['Ae', (books) => books.ilike('title', '%s%i%').or('title.like.Al*,title.eq.epsilon')],
    ['AD', (books) => books.likeAnyOf('title', ['Al%', 'De%'])],
    ['A', (books) => books.likeAllOf('title', ['Al%', '%ing'])],
    ['AD', (books) => books.ilikeAnyOf('title', ['al%', 'de%'])],
    ['BG', (books) => books.regexMatch('title', '[(,]')],
    ['e', (books) => books.is('shelf_id', null)],
    ['ABGD', (books) => books.not('shelf_id', 'is', null)],
    ['BG', (books) => books.in('title', ['Beta, quoted', 'Gamma (rays)'])],
    ['ABG', (books) => books.match({ shelf_id: shared.novels })],
    ['Ae', (books) => books.or('pages.lt.200,and(pages.gt.400,title.eq.epsilon)')],
    ['D', (books) => books.textSearch('title', 'fall', { config: 'english' })],
    ['AD', (books) => books.textSearch('title', 'rising or falls', { type: 'websearch', config: 'english' })],
    ['A', (books) => books.rangeLt('lent', '[2026-02-15,2026-02-16)')],
    ['G', (books) => books.rangeGt('lent', '[2026-02-15,2026-02-16)')],
    ['A', (books) => books.rangeAdjacent('lent', '[2026-02-01,2026-02-02)')],
    ['G', (books) => books.filter('lent', 'cs', '[2026-03-05,2026-03-06)')],
  ];
  for (const [expected, filter] of table) {
    assert.equal(await titles(filter), expected, filter.toString());
  }
});

test('arrays and JSON are searched', async () => {
  const { client } = shared;
  const names = async (filter) =>
    ok(await filter(client.from('shelves').select('name')).order('name')).map(({ name }) => name);
  assert.deepEqual(await names((shelves) => shelves.contains('tags', ['tall'])), ['novels']);
  assert.deepEqual(await names((shelves) => shelves.containedBy('tags', ['red', 'blue'])), ['essays']);
  assert.deepEqual(await names((shelves) => shelves.overlaps('tags', ['red'])), ['essays', 'novels']);
  assert.deepEqual(await names((shelves) => shelves.contains('about', { floor: 2 })), ['essays']);
  assert.deepEqual(await names((shelves) => shelves.eq('about->by->>name', 'Ada')), ['novels']);
  const shown = ok(await client.from('shelves').select('by:about->by->>name').eq('name', 'novels').single());
  assert.deepEqual(shown, { by: 'Ada' });
});

test('rows are ordered and paged', async () => {
  const { client } = shared;
  const order = ok(
    await client.from('books').select('title').order('shelf_id', { nullsFirst: true }).order('pages', { ascending: false }),
  );
  assert.deepEqual(order.map(({ title }) => title[0]).join(''), 'eGBAD');
  const page = await client.from('books').select('title', { count: 'exact' }).order('pages').range(1, 2);
  assert.equal(page.status, 206);
  assert.equal(page.count, 5);
  assert.deepEqual(ok(page).map(({ title }) => title[0]), ['B', 'G']);
  assert.equal(ok(await client.from('books').select().limit(2)).length, 2);
  const beyond = await client.from('books').select('*', { count: 'exact' }).range(100, 110);
  assert.equal(beyond.error.code, 'PGRST103');
  assert.equal(beyond.status, 416);
});

test('rows are counted without being sent', async () => {
  for (const count of ['exact', 'planned', 'estimated']) {
    const counted = await shared.client.from('books').select('*', { count, head: true });
    assert.equal(counted.data, null);
    assert.equal(typeof counted.count, 'number', count);
  }
  assert.equal((await shared.client.from('books').select('*', { count: 'exact', head: true })).count, 5);
});

test('related rows are embedded, filtered, ordered and spread', async () => {
  const { client } = shared;
  const nested = ok(
    await client
      .from('shelves')
      .select('name,books(title)')
      .order('name')
      .order('pages', { referencedTable: 'books', ascending: false })
      .limit(2, { referencedTable: 'books' }),
  );
  assert.deepEqual(nested, [
    { name: 'essays', books: [{ title: 'Delta falls' }] },
    { name: 'novels', books: [{ title: 'Gamma (rays)' }, { title: 'Beta, quoted' }] },
  ]);
  const inner = ok(await client.from('shelves').select('name,books!inner(title)').gt('books.pages', 300));
  assert.deepEqual(inner, [{ name: 'essays', books: [{ title: 'Delta falls' }] }]);
  const spread = ok(await client.from('books').select('title,...shelves(shelf:name)').eq('title', 'epsilon'));
  assert.deepEqual(spread, [{ title: 'epsilon', shelf: null }]);
  const either = ok(
    await client.from('shelves').select('name,books(pages)').or('pages.lt.200,pages.gt.200', { referencedTable: 'books' }).eq('name', 'novels').single(),
  );
  assert.deepEqual(either.books.map(({ pages }) => pages).sort(), [100, 300]);
});

test('one row is wanted, or at most one', async () => {
  const { client } = shared;
  const one = client.from('books').select('pages').eq('title', 'epsilon');
  assert.deepEqual(ok(await one.single()), { pages: 500 });
  const none = await client.from('books').select().eq('title', 'none').single();
  assert.equal(none.error.code, 'PGRST116');
  assert.equal(none.status, 406);
  assert.equal(ok(await client.from('books').select().eq('title', 'none').maybeSingle()), null);
  const many = await client.from('books').select().maybeSingle();
  assert.equal(many.error.code, 'PGRST116');
});

test('an answer may be CSV', async () => {
  const csv = ok(await shared.client.from('books').select('title,pages').lte('pages', 200).order('pages').csv());
  assert.equal(csv, 'title,pages\n"Alpha rising",100\n"Beta, quoted",200');
});

test('the plan of a statement is explained', async () => {
  const { client } = shared;
  const text = ok(await client.from('books').select().eq('id', 1).explain());
  assert.match(text, /books/);
  const [plan] = ok(await client.from('books').select().explain({ format: 'json', analyze: true, verbose: true }));
  assert.ok(plan.Plan['Actual Total Time'] >= 0);
});

test('functions are called in every way', async () => {
  const { client } = shared;
  assert.equal(ok(await client.rpc('total_pages')), 1500);
  assert.equal(ok(await client.rpc('total_pages', { at_least: 300 })), 1200);
  assert.equal(ok(await client.rpc('total_pages', { at_least: 500 }, { get: true })), 500);
  const long = await client.rpc('long_books', { at_least: 300 }, { count: 'exact' }).select('title,shelves(name)').lt('pages', 500).order('pages');
  assert.equal(long.count, 2);
  assert.deepEqual(ok(long).map(({ title, shelves }) => `${title[0]} ${shelves.name}`), ['G novels', 'D essays']);
  const head = await client.rpc('long_books', { at_least: 1 }, { head: true, count: 'exact' });
  assert.equal(head.count, 5);
  const missing = await client.rpc('no_such_function', { a: 1 });
  assert.equal(missing.error.code, 'PGRST202');
  assert.equal(missing.status, 404);
});

test('rows are inserted, upserted, updated and deleted', async () => {
  const { client } = await reader();
  const silent = await client.from('shelves').insert({ name: 'poems' });
  assert.deepEqual([silent.status, silent.data], [201, null]);
  const merged = ok(
    await client
      .from('shelves')
      .upsert([{ name: 'poems', tags: ['new'] }, { name: 'plays', tags: [] }], { onConflict: 'owner_id,name' })
      .select('name,tags')
      .order('name'),
  );
  assert.deepEqual(merged, [{ name: 'plays', tags: [] }, { name: 'poems', tags: ['new'] }]);
  const ignored = ok(
    await client
      .from('shelves')
      .upsert({ name: 'poems', tags: ['newer'] }, { onConflict: 'owner_id,name', ignoreDuplicates: true })
      .select('tags'),
  );
  assert.deepEqual(ignored, []);
  const defaults = ok(
    await client.from('books').insert([{ title: 'short' }, { title: 'long', pages: 900 }], { defaultToNull: false }).select('title,pages').order('pages'),
  );
  assert.deepEqual(defaults, [{ title: 'short', pages: 100 }, { title: 'long', pages: 900 }]);

  const changed = await client.from('books').update({ pages: 1 }, { count: 'exact' }).gt('pages', 300).select('pages');
  assert.equal(changed.count, 3);
  assert.deepEqual(ok(changed), [{ pages: 1 }, { pages: 1 }, { pages: 1 }]);
  const bounded = await client.from('books').update({ pages: 2 }).gt('pages', 0).maxAffected(1);
  assert.equal(bounded.error.code, 'PGRST124');
  assert.equal((await client.from('books').select('*', { count: 'exact', head: true }).eq('pages', 2)).count, 0);

  const gone = await client.from('books').delete({ count: 'exact' }).eq('pages', 1);
  assert.deepEqual([gone.status, gone.count], [204, 3]);
  const last = ok(await client.from('shelves').delete().eq('name', 'plays').select().single());
  assert.equal(last.name, 'plays');
});

test('another schema is addressed', async () => {
  const { client } = shared;
  assert.deepEqual(ok(await client.schema('archive').from('books').select()), [{ id: 1, title: 'An old one' }]);
  const unknown = await client.schema('auth').from('users').select();
  assert.equal(unknown.error.code, 'PGRST106');
  assert.equal(unknown.status, 406);
});

test('errors are the database\'s own', async () => {
  const { client } = shared;
  const table = [
    [client.from('nowhere').select(), 404, 'PGRST205'],
    [client.from('books').select('nothing'), 400, '42703'],
    [client.from('books').select('title,authors(name)'), 400, 'PGRST200'],
    [client.from('books').insert({ title: 'x', pages: 0 }), 400, '23514'],
    [client.from('books').insert({ title: 'x', shelf_id: -1 }), 409, '23503'],
    [client.from('books').insert({ pages: 1 }), 400, '23502'],
    [client.from('books').insert({ title: 'x', nothing: 1 }), 400, 'PGRST204'],
    [client.from('shelves').insert({ name: 'novels' }), 409, '23505'],
    [client.from('books').select().eq('pages', 'many'), 400, '22P02'],
    [client.from('books').select().filter('pages', 'nope', '1'), 400, 'PGRST100'],
    [rest().from('books').insert({ title: 'x' }), 401, '42501'],
    [rest('no.token.atall').from('books').select(), 401, 'PGRST301'],
  ];
  for (const [request, status, code] of table) {
    const answer = await request;
    assert.equal(answer.error?.code, code, JSON.stringify(answer));
    assert.equal(answer.status, status, JSON.stringify(answer));
  }
  await assert.rejects(async () => client.from('nowhere').select().throwOnError());
});
