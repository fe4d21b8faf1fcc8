-- All types. Composite ones are named like their relation.
select
  t.oid,
  format_type(t.oid, null),
  n.nspname,
  coalesce(c.relname, t.typname),
  t.typtype,
  t.typrelid,
  t.typbasetype,
  t.typtypmod,
  t.typnotnull,
  case when t.typtype = 'd' then pg_get_expr(t.typdefaultbin, 0) end,
  case when t.typtype = 'e' then (
    select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid
  ) end
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
left join pg_class c on c.oid = t.typrelid and t.typtype = 'c'
