// The stack under test, and clients of it. `scripts/e2e.sh` sets the variables.
import { randomUUID } from 'node:crypto';
import { createClient } from '@supabase/supabase-js';
import ws from 'ws';

const variable = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run scripts/e2e.sh`);
  return value;
};

export const url = variable('FERROBASE_URL');
export const anonKey = variable('FERROBASE_ANON_KEY');
export const serviceKey = variable('FERROBASE_SERVICE_ROLE_KEY');
// The mails that were caught.
export const inboxUrl = variable('FERROBASE_INBOX_URL');

// Every user has a client of their own, as in a browser of their own.
export const client = (key = anonKey, auth = {}) =>
  createClient(url, key, {
    auth: { autoRefreshToken: false, persistSession: false, ...auth },
    // Before version 22 Node has no WebSocket of its own.
    realtime: { transport: ws },
  });

export const password = 'correct horse battery staple';

// The answer's data; an error fails the test with the server's own words.
export const ok = ({ data, error }) => {
  if (error) throw new Error(`${error.code}: ${error.message}`);
  return data;
};

// A signed-in user with a client.
export const newUser = async (name) => {
  const supabase = client();
  const email = `${name}-${randomUUID()}@example.com`;
  const { user, session } = ok(await supabase.auth.signUp({ email, password }));
  return { supabase, email, user, session };
};

// The newest mail to an address that is wanted, as soon as it is there.
export const mailTo = async (email, isWanted = () => true) => {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const response = await fetch(`${inboxUrl}?to=${encodeURIComponent(email)}`);
    const { data } = await response.json();
    const wanted = data.filter(isWanted);
    if (wanted.length > 0) return wanted[0];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no mail to ${email}`);
};

// The code in a mail.
export const codeIn = (mail) => mail.text.match(/\b\d{6}\b/)[0];
