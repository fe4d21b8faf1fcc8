-- Views that can be written in every way and in none.
create schema api;
create table api.items (id int primary key, name text);
create table api.keyless (name text);
create table api.shared (id int, at date, primary key (id, at)) partition by range (at);
create view api.simple as select id, name from api.items;
create view api.without_key as select name from api.items;
create view api.summed as select count(*) from api.items;
create view api.all_ways as select id, max(name) as name from api.items group by id;
create view api.all_ways_without_key as select distinct name from api.items;
create view api.insert_only as select distinct name from api.items;
create view api.update_only as select distinct name from api.items;
create view api.delete_only as select distinct name from api.items;
create materialized view api.kept as select * from api.items;

create function api.on_write() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger write instead of insert or update or delete on api.all_ways
  for each row execute function api.on_write();
create trigger write instead of insert or update or delete on api.all_ways_without_key
  for each row execute function api.on_write();
create trigger write instead of insert on api.insert_only for each row execute function api.on_write();
create trigger write instead of update on api.update_only for each row execute function api.on_write();
create trigger write instead of delete on api.delete_only for each row execute function api.on_write();

create function api.change() returns void language sql volatile as $$ select $$;
create function api.look() returns int language sql stable as $$ select 1 $$;
create function api.compute() returns int language sql immutable as $$ select 1 $$;
