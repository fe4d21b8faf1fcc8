-- Producers of media types, a media type being a domain named like one: aggregates over the rows of a
-- relation or over anyelement, and functions, in the exposed schemas ($1) and the extra search path ($2).
with
media_types as (
  select t.oid, lower(t.typname) as name, t.typbasetype = 'bytea'::regtype as is_binary
  from pg_type t
  where t.typtype = 'd'
    and (t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or t.typname = '*/*')
)
select
  p.prokind = 'a',
  n.nspname,
  p.proname,
  case when p.prokind = 'a' then tn.nspname else n.nspname end,
  case when p.prokind = 'a' then coalesce(c.relname, t.typname) else p.proname end,
  m.name,
  m.is_binary
from media_types m
join pg_proc p on p.prorettype = m.oid
join pg_namespace n on n.oid = p.pronamespace
left join pg_type t on t.oid = p.proargtypes[0]
left join pg_namespace tn on tn.oid = t.typnamespace
left join pg_class c on c.oid = t.typrelid
where n.nspname = any($1::text[] || $2::text[])
  and case p.prokind
    when 'a' then p.pronargs = 1
      and (c.relkind in ('r', 'p', 'v', 'm', 'f') or t.oid = 'anyelement'::regtype)
    when 'f' then not p.proretset
    else false
  end
order by n.nspname, p.proname, p.oid
