// What pages of an allowed and of a foreign origin can do through the gateway.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { setUp } from './stage.mjs';

let stage;
before(async () => { stage = await setUp(); });
after(() => stage?.tearDown());
beforeEach(() => { stage.requests.length = 0; });

// Each runs in the page.
const fetchWithCredentials = async ({ url, key }) => {
  const init = { method: 'PATCH', credentials: 'include', headers: { apikey: key } };
  try {
    const response = await fetch(`${url}/x`, init);
    const { status, headers } = response;
    return { status, range: headers.get('content-range'), id: headers.get('x-request-id'),
      body: await response.json() };
  } catch (error) {
    return error.name;
  }
};
const fetchWithoutPreflight = async ({ url, key }) => {
  try {
    await fetch(`${url}/x?apikey=${key}`, { credentials: 'include' });
    return 'read';
  } catch (error) {
    return error.name;
  }
};
const listenToEvents = ({ url, key }) =>
  new Promise((resolve) => {
    const events = [];
    const source = new EventSource(`${url}/events?apikey=${key}`, { withCredentials: true });
    const end = (outcome) => { source.close(); resolve(outcome); };
    source.onerror = () => end('refused');
    source.onmessage = async ({ data }) => {
      events.push(data);
      if (events.length === 2) end(events);
      // Only when the first has arrived is the second sent.
      else await fetch(`${url}/more?apikey=${key}`, { credentials: 'include' });
    };
  });
const openWebSocket = ({ url, key }) =>
  new Promise((resolve) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/websocket?apikey=${key}`);
    socket.onerror = () => resolve('refused');
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => { socket.close(); resolve(data); };
  });

test('an allowed page calls with credentials and reads the answer', async () => {
  const answer = await stage.inPage(stage.own, fetchWithCredentials);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, { method: 'PATCH', cookie: 'session=s1' });
  assert.equal(answer.range, '0-1/2');
  assert.match(answer.id, /^[0-9a-f]{32}$/);
  assert.deepEqual(stage.requests, ['PATCH /x'], 'the preflight went no further');
});

test('a foreign page is stopped by the preflight', async () => {
  assert.equal(await stage.inPage(stage.foreign, fetchWithCredentials), 'TypeError');
  assert.deepEqual(stage.requests, []);
});

test('a foreign page cannot read what needs no preflight', async () => {
  assert.equal(await stage.inPage(stage.own, fetchWithoutPreflight), 'read');
  assert.equal(await stage.inPage(stage.foreign, fetchWithoutPreflight), 'TypeError');
});

test('an allowed page reads why it was refused', async () => {
  const refusal = await stage.inPage(stage.own, async ({ url }) => {
    const response = await fetch(`${url}/x`, { headers: { apikey: 'wrong' } });
    return { status: response.status, code: (await response.json()).error.code };
  });
  assert.deepEqual(refusal, { status: 401, code: 'invalid_api_key' });
});

test('events arrive one by one', async () => {
  assert.deepEqual(await stage.inPage(stage.own, listenToEvents), ['first', 'second']);
  assert.equal(await stage.inPage(stage.foreign, listenToEvents), 'refused');
});

test('a WebSocket opens for an allowed page and not for a foreign one', async () => {
  assert.equal(await stage.inPage(stage.own, openWebSocket), 'echo hello');
  assert.equal(await stage.inPage(stage.foreign, openWebSocket), 'refused');
});
