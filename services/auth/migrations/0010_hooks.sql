-- Calls a function whose name is known at run time only, quoted by the database itself. The event is
-- a literal of no type, so that functions of json and of jsonb can be called.
create function auth.call_hook(schema_name text, function_name text, event text) returns text
    language plpgsql
as $$
declare
    answer text;
begin
    execute format('select %I.%I(%L)', schema_name, function_name, event) into answer;
    return answer;
end
$$;
revoke all on function auth.call_hook(text, text, text) from public;
