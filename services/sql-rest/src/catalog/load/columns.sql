-- Columns of the relations of the exposed schemas ($1), and of the rows that functions of these and
-- of the extra search path ($2) give, in order.
select
  a.attrelid,
  a.attnum,
  a.attname,
  d.description,
  a.attnotnull,
  a.atttypid,
  a.atttypmod,
  format_type(a.atttypid, a.atttypmod),
  case
    when a.attgenerated <> '' then null
    when a.attidentity = 'd' then (
      select format('nextval(%L)', s.objid::regclass)
      from pg_depend s
      where s.refclassid = 'pg_class'::regclass
        and s.refobjid = a.attrelid
        and s.refobjsubid = a.attnum
        and s.classid = 'pg_class'::regclass
        and s.deptype = 'i'
      limit 1
    )
    else pg_get_expr(e.adbin, e.adrelid)
  end,
  a.attgenerated <> ''
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
left join pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
left join pg_description d
  on d.objoid = a.attrelid and d.objsubid = a.attnum and d.classoid = 'pg_class'::regclass
where a.attnum > 0
  and not a.attisdropped
  and (
    c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and n.nspname = any($1::text[])
    or c.reltype in (
      select case when t.typtype = 'd' then t.typbasetype else t.oid end
      from pg_proc p
      join pg_namespace pn on pn.oid = p.pronamespace
      join pg_type t on t.oid = p.prorettype
      where pn.nspname = any($1::text[] || $2::text[])
    )
  )
order by a.attrelid, a.attnum
