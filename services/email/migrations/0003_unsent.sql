-- Counting what waits must not read what was sent.
create index messages_unsent on messages (status) where status <> 'sent';
