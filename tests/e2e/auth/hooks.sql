-- What the operator of the stack under test has a say in, as functions that auth asks.
create table public.texts (
    id bigint generated always as identity primary key,
    phone text not null,
    code text not null,
    kind text not null
);

-- Keeps text messages instead of sending them.
create function public.keep_text(event jsonb) returns jsonb
language sql security definer set search_path = '' as $$
    insert into public.texts (phone, code, kind)
    values (
        event -> 'sms' ->> 'phone',
        event -> 'sms' ->> 'otp',
        coalesce(event -> 'sms' ->> 'sms_type', '')
    )
    returning '{}'::jsonb
$$;

create function public.add_plan(event jsonb) returns jsonb language sql stable as $$
    select jsonb_set(event, '{claims,plan}', '"free"')
$$;

create function public.refuse_strangers(event jsonb) returns jsonb language sql stable as $$
    select case
        when event -> 'user' ->> 'email' like '%@stranger.example'
        then '{"error": {"http_code": 403, "message": "Strangers stay outside"}}'::jsonb
        else '{}'::jsonb
    end
$$;

grant execute on function public.keep_text, public.add_plan, public.refuse_strangers to auth_admin;
