select string_agg(line, chr(10) order by d.setdatabase, d.setrole, line)
from pg_db_role_setting d
cross join unnest(d.setconfig) line
where d.setrole in (0, (select oid from pg_roles where rolname = current_user))
  and d.setdatabase in (0, (select oid from pg_database where datname = current_catalog))
  and line not like 'pgrst.%'
