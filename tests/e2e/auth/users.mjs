// Users of the suite.
import { randomUUID } from 'node:crypto';
import { client, ok, password, serviceKey } from '../stack.mjs';

// A user whose address an admin has confirmed, signed in.
export const newConfirmedUser = async (name) => {
  const email = `${name}-${randomUUID()}@example.com`;
  const admin = client(serviceKey);
  ok(await admin.auth.admin.createUser({ email, password, email_confirm: true }));
  const supabase = client();
  const { user } = ok(await supabase.auth.signInWithPassword({ email, password }));
  return { supabase, email, user };
};
