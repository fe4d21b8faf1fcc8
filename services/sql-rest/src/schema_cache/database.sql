with
lines as (
  select d.setdatabase, line
  from pg_db_role_setting d
  cross join unnest(d.setconfig) line
  where d.setrole = (select oid from pg_roles where rolname = current_user)
    and d.setdatabase in (0, (select oid from pg_database where datname = current_catalog))
),
found as (
  select
    case when setdatabase = 0 then 1 else 0 end as rank,
    split_part(line, '=', 1) as name,
    substr(line, strpos(line, '=') + 1) as value
  from lines
  union all
  select 2, name, current_setting(name, true)
  from unnest($1::text[]) name
)
select distinct on (name) substr(name, length('pgrst.') + 1), value
from found
where name = any($1::text[]) and value is not null
order by name, rank
