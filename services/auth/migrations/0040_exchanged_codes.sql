-- An exchanged code stays until it expires: whoever presents it again ends the session it led to. What
-- has expired is removed whatever became of it.

alter table auth.oauth_authorizations add column session_id uuid;

drop index auth.oauth_auth_pending_exp_idx;
create index oauth_authorizations_expires_at_idx on auth.oauth_authorizations (expires_at);
