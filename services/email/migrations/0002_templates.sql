-- Templates of the operator; one that is called like a built-in one takes its place.
create table templates (
    name       text        not null,
    locale     text        not null,
    subject    text        not null,
    html       text        not null,
    -- Derived from the HTML when missing.
    text       text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint templates_pkey primary key (name, locale)
);
