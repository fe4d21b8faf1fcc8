-- Functions of the exposed schemas ($1) and the extra search path ($2), in the order of the search.
select
  p.oid,
  n.nspname,
  p.proname,
  d.description,
  to_json(coalesce(p.proallargtypes, p.proargtypes::oid[])::bigint[]),
  to_json(p.proargmodes),
  to_json(p.proargnames),
  p.pronargdefaults,
  p.prorettype,
  p.proretset,
  p.prorows = 1,
  p.provolatile,
  to_json(p.proconfig)
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
left join pg_description d
  on d.objoid = p.oid and d.objsubid = 0 and d.classoid = 'pg_proc'::regclass
where p.prokind = 'f'
  and p.prorettype <> 'trigger'::regtype
  and n.nspname = any($1::text[] || $2::text[])
order by array_position($1::text[] || $2::text[], n.nspname::text), p.proname, p.oid
