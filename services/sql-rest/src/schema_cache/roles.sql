select r.rolname, s.name, s.value
from pg_auth_members m
join pg_roles r on r.oid = m.roleid
cross join lateral (
  select split_part(line, '=', 1) as name, substr(line, strpos(line, '=') + 1) as value
  from unnest(r.rolconfig) line
) s
join pg_settings p on p.name = s.name
where m.member = (select oid from pg_roles where rolname = current_user)
  and (p.context = 'user' or s.name like '%.%' /* or granted */)
order by r.rolname, s.name
