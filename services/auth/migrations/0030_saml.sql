-- Single sign-on by SAML. GoTrue has neither of these: it accepts an assertion that nobody asked for
-- any number of times, and a session that begins with a code forgets when the identity provider wants
-- it to end.

create table auth.saml_assertions (
    entity_id text not null,
    assertion_id text not null,
    usable_until timestamptz not null,
    constraint saml_assertions_pkey primary key (entity_id, assertion_id)
);
create index saml_assertions_usable_until_idx on auth.saml_assertions (usable_until);

alter table auth.saml_assertions enable row level security;

alter table auth.flow_state add column session_not_after timestamptz;
