-- Primary keys, unique constraints and foreign keys of every schema. Rows with a parent repeat it
-- for a partition.
select
  k.contype,
  k.conname,
  k.conrelid,
  to_json(k.conkey),
  k.confrelid,
  to_json(k.confkey)
from pg_constraint k
join pg_namespace n on n.oid = k.connamespace
where k.contype in ('p', 'u', 'f')
  and k.conrelid <> 0
  and k.conparentid = 0
  and n.nspname not in ('pg_catalog', 'information_schema')
order by k.conrelid, k.conname
