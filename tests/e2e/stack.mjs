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

// Every user has a client of their own, as in a browser of their own.
export const client = (key = anonKey) =>
  createClient(url, key, {
    auth: { autoRefreshToken: false, persistSession: false },
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
