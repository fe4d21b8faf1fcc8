-- Relations of the exposed schemas ($1). Bits of pg_relation_is_updatable: 4 update, 8 insert, 16 delete.
select
  c.oid,
  n.nspname,
  c.relname,
  c.reltype,
  c.relkind in ('v', 'm'),
  d.description,
  c.relkind in ('r', 'p') or u.events & 8 <> 0,
  c.relkind in ('r', 'p') or u.events & 4 <> 0,
  c.relkind in ('r', 'p') or u.events & 16 <> 0
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_description d
  on d.objoid = c.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass
cross join lateral (
  select case when c.relkind in ('v', 'f') then pg_relation_is_updatable(c.oid, true) else 0 end as events
) u
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not c.relispartition
  and n.nspname = any($1::text[])
order by c.oid
