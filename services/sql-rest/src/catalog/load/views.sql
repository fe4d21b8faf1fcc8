-- Queries of the views in the exposed schemas ($1) and the extra search path ($2), as trees.
select c.oid, r.ev_action::text
from pg_rewrite r
join pg_class c on c.oid = r.ev_class
join pg_namespace n on n.oid = c.relnamespace
where r.ev_type = '1'
  and c.relkind in ('v', 'm')
  and n.nspname = any($1::text[] || $2::text[])
order by c.oid
