-- Mails that were accepted, and what became of them.
create table messages (
    id              uuid        primary key,
    -- The user who sent it; null for the operator's servers.
    sender          uuid,
    idempotency_key text,
    request_hash    bytea       not null,
    template        text,
    -- What to send; erased once it is delivered, because it may hold one-time links.
    content         jsonb,
    status          text        not null default 'queued',
    attempts        integer     not null default 0,
    last_error      text,
    created_at      timestamptz not null default now(),
    next_attempt_at timestamptz not null default now(),
    finished_at     timestamptz,
    -- Who is sending it now, and until when nobody else may.
    lease           uuid,
    leased_until    timestamptz,
    constraint messages_status_known
        check (status in ('queued', 'sending', 'sent', 'unconfirmed', 'dead')),
    constraint messages_lease_complete
        check ((status = 'sending') = (lease is not null) and (lease is null) = (leased_until is null)),
    constraint messages_content_kept
        check (content is not null or status = 'sent')
);

create unique index messages_idempotency_key on messages (sender, idempotency_key)
    nulls not distinct where idempotency_key is not null;
create index messages_due on messages (next_attempt_at) where status = 'queued';
create index messages_leased on messages (leased_until) where status = 'sending';
create index messages_of_sender on messages (sender, created_at desc);
create index messages_finished on messages (finished_at) where finished_at is not null;

-- Everybody a mail goes to, each once, and how far it got there.
create table recipients (
    message_id uuid not null references messages on delete cascade,
    address    text not null,
    status     text not null default 'pending',
    -- The mail server's last answer about this address.
    reply      text,
    constraint recipients_pkey primary key (message_id, address),
    constraint recipients_status_known
        check (status in ('pending', 'handed_over', 'delivered', 'unconfirmed', 'rejected'))
);

-- What a sender may know about a message.
create view message_states as
    select id, sender, status, template, attempts, last_error, created_at, finished_at,
           case when status = 'queued' then next_attempt_at end as next_attempt_at,
           (select jsonb_agg(
                       jsonb_build_object('address', address, 'status', r.status, 'reply', reply)
                       order by address)
              from recipients r where r.message_id = m.id) as recipients
      from messages m;
