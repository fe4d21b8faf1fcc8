-- Comments on the exposed schemas ($1).
select n.nspname, d.description
from pg_namespace n
join pg_description d
  on d.objoid = n.oid and d.objsubid = 0 and d.classoid = 'pg_namespace'::regclass
where n.nspname = any($1::text[])
