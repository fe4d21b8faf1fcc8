-- Producers of media types, a media type being a domain named like one: aggregates over a relation's
-- rows (or over anyelement) and functions, in the exposed schemas ($1) and the extra search path ($2).
with
media_types as (
  select t.oid, lower(t.typname) as name
  from pg_type t
  where t.typbasetype <> 0
    and (t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or t.typname = '*/*')
)
select true, n.nspname, p.proname, an.nspname, coalesce(ac.relname, a.typname), m.name
from media_types m
join pg_proc p on p.prorettype = m.oid and p.prokind = 'a' and p.pronargs = 1
join pg_namespace n on n.oid = p.pronamespace
join pg_type a on a.oid = p.proargtypes[0]
join pg_namespace an on an.oid = a.typnamespace
left join pg_class ac on ac.oid = a.typrelid
where n.nspname = any($1::text[] || $2::text[])
  and (ac.relkind in ('r', 'p', 'v', 'm', 'f') or a.oid = 'anyelement'::regtype)
union all
select false, n.nspname, p.proname, n.nspname, p.proname, m.name
from media_types m
join pg_proc p on p.prorettype = m.oid and p.prokind = 'f' and not p.proretset
join pg_namespace n on n.oid = p.pronamespace
where n.nspname = any($1::text[] || $2::text[])
