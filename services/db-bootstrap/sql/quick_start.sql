-- Tables to learn from. They are created once and belong to you: change or drop them, they do not
-- come back.
--
-- How to read the policies: a role first needs the right to use a table at all (grant), then a
-- policy decides row by row. "using" says which existing rows a statement may see or touch,
-- "with check" which rows it may leave behind. Rows that no policy allows are as good as absent.


-- users: the public profile of a person.
--
-- Its id is the one of the account, auth.users.id, which auth.uid() gives. There is no foreign key
-- to auth.users, because that table is the auth service's own: it is created by that service, after
-- this script, and no table here can keep it from changing.

create table public.users (
  id         uuid        not null default auth.uid() constraint users_pkey primary key,
  name       text        constraint users_name_length check (length(name) between 1 and 100),
  created_at timestamptz not null default now()
);
comment on table  public.users            is 'Public profiles; one for each account that wrote something.';
comment on column public.users.id         is 'The id of the account.';
comment on column public.users.name       is 'The name shown to others.';
comment on column public.users.created_at is 'When the profile was made.';

-- A profile is there before the first row that refers to it, so that nobody has to make one first.
-- The function may do what its owner may (security definer), since the row it adds need not be
-- the caller's: a server that acts for a user writes the user's rows. When the policies refuse the
-- row that caused it, the profile goes with it: both are one statement.
create function ferrobase.ensure_profile() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  owner uuid := to_jsonb(new) ->> tg_argv[0];
begin
  if owner is not null then
    insert into public.users (id) values (owner) on conflict (id) do nothing;
  end if;
  return new;
end
$$;
comment on function ferrobase.ensure_profile() is
  'Makes the profile a new row refers to; the argument is the column that does.';
revoke execute on function ferrobase.ensure_profile() from public;


-- posts: drafts are their author's, published posts are everybody's.

create table public.posts (
  id         bigint      generated always as identity constraint posts_pkey primary key,
  author_id  uuid        not null default auth.uid()
             constraint posts_author_id_fkey references public.users (id) on delete cascade,
  title      text        not null constraint posts_title_length check (length(title) between 1 and 200),
  body       text        not null default '' constraint posts_body_length check (length(body) <= 100000),
  published  boolean     not null default false,
  created_at timestamptz not null default now()
);
comment on table  public.posts            is 'Posts: drafts are their author''s, published ones are everybody''s.';
comment on column public.posts.author_id  is 'Who wrote it: the caller, unless told otherwise.';
comment on column public.posts.title      is 'A line of at most 200 characters.';
comment on column public.posts.body       is 'The text, of at most 100000 characters.';
comment on column public.posts.published  is 'Whether everybody can read it.';
comment on column public.posts.created_at is 'When it was written.';

-- The policies look rows up by owner, and so must PostgreSQL be able to.
create index posts_author_id_idx on public.posts (author_id);

create trigger posts_ensure_profile before insert on public.posts
  for each row execute function ferrobase.ensure_profile('author_id');


-- projects: strictly one's own.

create table public.projects (
  id          bigint      generated always as identity constraint projects_pkey primary key,
  owner_id    uuid        not null default auth.uid()
              constraint projects_owner_id_fkey references public.users (id) on delete cascade,
  name        text        not null constraint projects_name_length check (length(name) between 1 and 200),
  description text        not null default ''
              constraint projects_description_length check (length(description) <= 10000),
  created_at  timestamptz not null default now()
);
comment on table  public.projects             is 'Projects, which only their owner can see.';
comment on column public.projects.owner_id    is 'Whose it is: the caller''s, unless told otherwise.';
comment on column public.projects.name        is 'A line of at most 200 characters.';
comment on column public.projects.description is 'What it is about, in at most 10000 characters.';
comment on column public.projects.created_at  is 'When it was started.';

create index projects_owner_id_idx on public.projects (owner_id);

create trigger projects_ensure_profile before insert on public.projects
  for each row execute function ferrobase.ensure_profile('owner_id');


-- Who may use the tables at all. New tables get this by default (exposure.sql); it is written out
-- here because it is half of the answer to "who can read this?".

grant select, insert, update, delete on public.users, public.posts, public.projects
  to anon, authenticated;

-- A table in an exposed schema has this already (row_security.sql). Write it anyway: it is the line
-- a reader looks for.

alter table public.users    enable row level security;
alter table public.posts    enable row level security;
alter table public.projects enable row level security;


-- Policies of projects: the short form. One policy for everything, the same rule for the rows one
-- finds and for those one leaves behind, and nothing at all for anon.

create policy "projects are their owner's" on public.projects
  to authenticated
  using      ((select auth.uid()) = owner_id)
  with check ((select auth.uid()) = owner_id);


-- Policies of posts: one for each command, because reading and writing follow different rules.

create policy "published posts are everybody's, drafts their author's" on public.posts
  for select to anon, authenticated
  using (published or (select auth.uid()) = author_id);

create policy "one writes in one's own name" on public.posts
  for insert to authenticated
  with check ((select auth.uid()) = author_id);

-- "using" alone would let an author give a post away; "with check" keeps it theirs.
create policy "authors change their posts" on public.posts
  for update to authenticated
  using      ((select auth.uid()) = author_id)
  with check ((select auth.uid()) = author_id);

create policy "authors delete their posts" on public.posts
  for delete to authenticated
  using ((select auth.uid()) = author_id);


-- Policies of users. A profile becomes visible with the first published post. The subquery obeys
-- the policies of posts, so it cannot find more than the caller could.

create policy "one sees oneself and everybody who published" on public.users
  for select to anon, authenticated
  using (
    (select auth.uid()) = id
    or exists (select from public.posts where posts.author_id = users.id and posts.published)
  );

create policy "one makes one's own profile" on public.users
  for insert to authenticated
  with check ((select auth.uid()) = id);

create policy "one changes one's own profile" on public.users
  for update to authenticated
  using      ((select auth.uid()) = id)
  with check ((select auth.uid()) = id);

create policy "one deletes one's own profile" on public.users
  for delete to authenticated
  using ((select auth.uid()) = id);
