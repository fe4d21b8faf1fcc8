-- Who is calling? sql-rest tells it with each request, in settings that end with the transaction:
-- request.jwt.claims holds all claims of the token as JSON, and request.jwt.claim.<name> one
-- claim as plain text. The functions read the plain form first, because it needs no parsing.
--
-- They give null when there is no caller, and never fail: a policy that compares with null lets
-- nobody through. In a policy write (select auth.uid()), with the brackets: PostgreSQL then asks
-- once for the whole statement instead of once for every row.
--
-- Bodies of the form "return …" are bound to what they call when they are created, so the
-- search_path of the caller cannot change their meaning, and PostgreSQL can inline them.

grant usage on schema auth to anon, authenticated, service_role;

create or replace function auth.jwt() returns jsonb
language plpgsql stable parallel safe
as $$
declare
  claims text := current_setting('request.jwt.claims', true);
begin
  if claims is null or claims !~ '^\s*\{.*\}\s*$' then
    return null;
  end if;
  -- PostgreSQL can look before it leaps, from version 16 on.
  if current_setting('server_version_num')::int >= 160000 then
    if not pg_input_is_valid(claims, 'jsonb') then
      return null;
    end if;
  end if;
  return claims::jsonb;
end
$$;
comment on function auth.jwt() is 'All claims of the caller''s token, or null.';

-- An id as a uuid, or null when it is none: identity providers have ids of other forms. The pattern
-- does without counts such as {8}, with which it would take several times as long.
create or replace function ferrobase.uuid_or_null(id text) returns uuid
language plpgsql immutable parallel safe
as $$
begin
  if id like '________-____-____-____-____________'
     and id ~ '^[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+$' then
    return id::uuid;
  end if;
  return null;
end
$$;

create or replace function auth.uid() returns uuid
language sql stable parallel safe
return ferrobase.uuid_or_null(coalesce(
  nullif(current_setting('request.jwt.claim.sub', true), ''),
  auth.jwt() ->> 'sub'
));
comment on function auth.uid() is 'The id of the signed-in user, or null.';

create or replace function auth.role() returns text
language sql stable parallel safe
return coalesce(
  nullif(current_setting('request.jwt.claim.role', true), ''),
  auth.jwt() ->> 'role'
);
comment on function auth.role() is 'The role in the caller''s token, or null.';

create or replace function auth.email() returns text
language sql stable parallel safe
return coalesce(
  nullif(current_setting('request.jwt.claim.email', true), ''),
  auth.jwt() ->> 'email'
);
comment on function auth.email() is 'The e-mail address of the signed-in user, or null.';

grant execute on function auth.jwt(), auth.uid(), auth.role(), auth.email()
  to anon, authenticated, service_role;
