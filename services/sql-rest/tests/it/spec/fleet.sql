-- A merchant fleet, whose relations relate in every way there is: through views of hidden tables, by
-- composite keys, more than one way at once, to themselves and between partitions.

create table hidden.captains (id int primary key, name text);
create table hidden.ships (
  id int primary key,
  name text,
  built int,
  captain_id int references hidden.captains (id)
);
insert into hidden.captains values (1, 'Ahab'), (2, 'Nemo'), (3, 'Sparrow');
insert into hidden.ships values (1, 'Pequod', 1820, 1), (2, 'Nautilus', 1866, 2), (3, 'Abraham', 1866, null), (4, 'Essex', 1799, 1);

-- Views that show hidden tables: as they are, by other names, in part, and by way of queries of all kinds.
create view api.captains as select id, name from hidden.captains;
create view api.ships as select * from hidden.ships;
create view api.old_ships as select id, name, built, captain_id from hidden.ships where built < 1850;
create view api."shipList" as select id as "shipId", captain_id as "captainId", name from hidden.ships;
create view api.ships_of_ships as select * from api.ships;
create materialized view api.stored_ships as select id, name, captain_id from hidden.ships;
create view api.ships_by_query as
  with recent as (select id, name, captain_id from hidden.ships where built > 1800)
  select r.id, r.name, r.captain_id, (select count(*) from hidden.ships o where o.captain_id = r.captain_id) as siblings
  from (select * from recent) r;
create view api.ships_counted as select captain_id, count(*) as ships from hidden.ships group by captain_id;
create view api.captains_seen_twice as select id as first, id as second from hidden.captains;

-- A junction that only a view exposes, and one that nothing does.
create table hidden.flags (id int primary key, colour text);
create table hidden.ship_flags (
  ship_id int references hidden.ships (id),
  flag_id int references hidden.flags (id),
  primary key (ship_id, flag_id)
);
insert into hidden.flags values (1, 'black'), (2, 'white');
insert into hidden.ship_flags values (1, 2), (2, 1), (2, 2);
create view api.flags as select * from hidden.flags;
create view api.ship_flags as select * from hidden.ship_flags;
create table api.ports (id int primary key, name text);
create table api.goods (id int primary key, name text);
create table hidden.trade (
  port_id int references api.ports (id),
  good_id int references api.goods (id),
  primary key (port_id, good_id)
);
insert into api.ports values (1, 'Nantucket'), (2, 'Nagasaki');

-- Composite keys; two of them lead from a watch to a berth, and a view shows each column of one twice.
create table api.berths (port_id int references api.ports (id), number int, depth int, primary key (port_id, number));
create table api.watches (
  id int primary key,
  day_port int, day_number int,
  night_port int, night_number int,
  constraint day foreign key (day_port, day_number) references api.berths (port_id, number),
  constraint night foreign key (night_port, night_number) references api.berths (port_id, number)
);
insert into api.berths values (1, 1, 5), (1, 2, 9), (2, 1, 12);
insert into api.watches values (1, 1, 1, 1, 2), (2, 2, 1, null, null);
create view api.day_watches as select id, day_port, day_number, day_port as port, day_number as berth from api.watches;
create table api.inspections (
  port_id int, number int, passed boolean,
  primary key (port_id, number),
  foreign key (port_id, number) references api.berths (port_id, number)
);
insert into api.inspections values (1, 1, true), (2, 1, false);

-- Relations that refer to each other, to themselves, and a junction with four keys.
create table api.offices (id int primary key, name text, head int);
create table api.clerks (id int primary key, name text, office_id int references api.offices (id), mentor int references api.clerks (id), deputy int references api.clerks (id));
alter table api.offices add constraint office_head foreign key (head) references api.clerks (id);
insert into api.offices values (1, 'Ledgers', null), (2, 'Tolls', null);
insert into api.clerks values (1, 'Bartleby', 1, null, null), (2, 'Turkey', 1, 1, null), (3, 'Nippers', 2, 1, 2);
update api.offices set head = id where id < 3;
create table api.transfers (
  clerk_id int references api.clerks (id),
  office_id int references api.offices (id),
  witness_id int references api.clerks (id),
  second_office_id int references api.offices (id),
  primary key (clerk_id, office_id, witness_id, second_office_id)
);
create table api.follows (
  follower int references api.clerks (id),
  followed int references api.clerks (id),
  primary key (follower, followed)
);
insert into api.follows values (2, 1), (3, 1), (1, 2);

-- Partitions relate as the table they are part of.
create table api.voyages (year int, code text, port_id int references api.ports (id), primary key (year, code)) partition by list (year);
create table api.voyages_1851 partition of api.voyages for values in (1851);
create table api.voyages_later partition of api.voyages default;
create table api.cargoes (
  year int, code text, weight int, primary key (year, code, weight),
  foreign key (year, code) references api.voyages (year, code)
) partition by range (weight);
create table api.cargoes_light partition of api.cargoes for values from (0) to (100);
create table api.cargoes_heavy partition of api.cargoes default;
insert into api.voyages values (1851, 'A', 1), (1870, 'B', 2);
insert into api.cargoes values (1851, 'A', 50), (1851, 'A', 500), (1870, 'B', 70);

-- Names that are columns and relations at once, and the ones that need quotes.
create table api.grade (grade int primary key);
create table api.pupil (pupil int primary key, grade int references api.grade (grade));
insert into api.grade values (1), (2);
insert into api.pupil values (1, 1), (2, 1);
create table api."Crate;" ("crateId" int primary key);
create table api."crateLabels" ("crateId" int references api."Crate;" ("crateId"), ":a->b::c" text, "(d,e)" text, "  f  " text);
insert into api."Crate;" values (1), (2);
insert into api."crateLabels" values (1, 'arrow', 'parens', 'spaces');
create table api.da$h (a$b$ int);
insert into api.da$h values (1), (2);
create table api.count_column (count int);
insert into api.count_column values (7);

-- Functions that relate, one of them in place of a key, one for two relations.
create function api.mentees(api.clerks) returns setof api.clerks language sql stable as $$ select * from api.clerks where mentor = $1.id $$;
create function api.boss(api.clerks) returns api.clerks language sql stable as
  $$ select c.* from api.clerks c join api.offices o on o.head = c.id where o.id = $1.office_id $$;
create function api.goods(api.ports) returns setof api.goods language sql stable as $$ select * from api.goods $$;
create function api.ports(api.berths) returns setof api.ports rows 1 language sql stable as $$ select * from api.ports where false $$;
create function api.neighbours(api.berths) returns setof api.berths language sql stable as $$ select * from api.berths b where b.port_id = $1.port_id and b.number <> $1.number $$;
create function api.neighbours(api.ports) returns setof api.ports language sql stable as $$ select * from api.ports p where p.id <> $1.id $$;

-- Composite values, arrays, and words below a domain.
create type api.position as (lat numeric, lon numeric);
create domain api.words as tsvector check (value is not null);
create domain api.more_words as api.words;
create table api.buoys (id int primary key, place api.position, depths int[][], note text, tagged api.more_words);
insert into api.buoys values
  (1, row(1.5, 2.5), '{{1,2},{3,4}}', 'The lights are out', to_tsvector('simple', 'lights')),
  (2, row(3.5, 4.5), '{{5,6},{7,8}}', 'Les lumières brillent', to_tsvector('simple', 'lumières'));

-- Numbers to sum up, along two ways.
create table api.kinds (id int primary key, name text);
create table api.bills (id int primary key, amount numeric, project_id int references api.projects (id), kind_id int references api.kinds (id));
insert into api.kinds values (1, 'goods'), (2, 'work');
insert into api.bills values (1, 100, 1, 1), (2, 200, 1, 2), (3, 500, 2, 1), (4, 1200, 3, 2);

grant all on all tables in schema api to anon;
