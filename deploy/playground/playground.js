// The playground: one function that sends a request and shows it, and buttons that call it.

const element = (id) => document.getElementById(id);
const value = (id) => element(id).value.trim();

const posts = '/rest/v1/posts';
const notes = '/mongo/v1/collections/notes/documents';
const examples = [
  ['Read the published posts', 'GET', `${posts}?select=title,author:users(id),created_at&order=created_at.desc`],
  ['Write a post', 'POST', posts, { title: 'Hello', body: 'From the playground', published: true }],
  ['Publish all my posts', 'PATCH', `${posts}?published=is.false`, { published: true }],
  ['Store a document', 'POST', notes, { text: 'Remember the milk', tags: ['shopping'] }],
  ['Find documents', 'GET', `${notes}?filter=${encodeURIComponent('{"tags":"shopping"}')}`],
  ['Who am I?', 'GET', '/auth/v1/user'],
  ['What can I sign in with?', 'GET', '/auth/v1/settings'],
];

let token = null;

// Sends a request with the key, and with the token when somebody is signed in; gives what came back.
const send = async (method, path, body) => {
  const headers = { apikey: value('key') };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (path.startsWith('/rest/') && method !== 'GET') headers.Prefer = 'return=representation';
  const url = value('url').replace(/\/$/, '') + path;
  element('curl').textContent = asCurl(method, url, headers, body);
  const began = performance.now();
  try {
    const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    const milliseconds = Math.round(performance.now() - began);
    element('status').textContent = `${response.status} ${response.statusText}, ${milliseconds} ms`;
    const answer = parsed(text);
    element('answer').textContent = typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
    return response.ok ? answer : null;
  } catch (error) {
    element('status').textContent = `No answer: ${error.message}. Is the address right, and may this origin call it?`;
    element('answer').textContent = '';
    return null;
  }
};

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

const asCurl = (method, url, headers, body) => {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = [`curl -X ${method} ${quoted(url)}`];
  for (const [name, text] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${text}`)}`);
  if (body !== undefined) lines.push(`-d ${quoted(JSON.stringify(body))}`);
  return lines.join(' \\\n  ');
};

const become = (session) => {
  token = session?.access_token ?? null;
  element('user').textContent = session?.user?.email ?? 'nobody';
};

const credentials = () => ({ email: value('email'), password: value('password') });

element('sign-up').onclick = async () => {
  const session = await send('POST', '/auth/v1/signup', credentials());
  if (session?.access_token) become(session);
};
element('sign-in').onclick = async () => {
  const session = await send('POST', '/auth/v1/token?grant_type=password', credentials());
  if (session) become(session);
};
element('recover').onclick = () => send('POST', '/auth/v1/recover', { email: value('email') });
element('sign-out').onclick = async () => {
  await send('POST', '/auth/v1/logout');
  become(null);
};

const show = ([, method, path, body]) => {
  element('method').value = method;
  element('path').value = path;
  element('body').value = body ? JSON.stringify(body, null, 2) : '';
};
for (const [index, [title]] of examples.entries()) element('example').add(new Option(title, index));
element('example').onchange = () => show(examples[element('example').value]);
show(examples[0]);

element('send').onclick = () => {
  const text = value('body');
  const body = text && element('method').value !== 'GET' ? parsed(text) : undefined;
  if (typeof body === 'string') {
    element('status').textContent = 'The body is not JSON.';
    return;
  }
  send(element('method').value, value('path'), body);
};
