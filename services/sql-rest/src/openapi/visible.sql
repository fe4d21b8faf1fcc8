-- What the role may use of a schema ($1): names of relations and numbers of functions.
select
  null::int8 as total,
  0::int8 as page,
  json_build_object(
    'relations', (
      select coalesce(json_agg(c.relname), '[]')
      from pg_class c
      where c.relnamespace = n.oid
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and not c.relispartition
        and (
          pg_has_role(c.relowner, 'usage')
          or has_table_privilege(c.oid, 'select, insert, update, delete, truncate, references, trigger')
          or has_any_column_privilege(c.oid, 'select, insert, update, references')
        )
    ),
    'functions', (
      select coalesce(json_agg(p.oid::int8), '[]')
      from pg_proc p
      where p.pronamespace = n.oid
        and p.prokind = 'f'
        and has_function_privilege(p.oid, 'execute')
    )
  ) as body,
  current_setting('response.headers', true) as headers,
  current_setting('response.status', true) as status
from pg_namespace n
where n.nspname = $1
