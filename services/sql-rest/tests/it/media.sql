-- Media types of the database's own: aggregates and functions that give domains named like them.
create schema api;
create schema extra;

create domain extra."application/vnd.packed" as bytea;
create domain api."text/xml" as xml;
create domain api."text/html" as text;
create domain api."text/plain" as text;
create domain api."text/tab-separated-values" as text;
create domain api."text/csv" as text;
create domain api."image/png" as bytea;
create domain api."application/json" as json;
create domain api."application/vnd.count+json" as jsonb;
create domain api."pg/rows" as text;
create domain api."*/*" as bytea;

-- Rows of one relation, packed; its CSV has a name and a mark at its beginning.
create table api.lines (id int primary key, name text);
insert into api.lines values (1, 'first'), (2, 'second');
create function api.pack(state extra."application/vnd.packed", line api.lines)
  returns extra."application/vnd.packed" language sql immutable
  as $$ select (state || int4send(line.id))::extra."application/vnd.packed" $$;
create aggregate api.packed(api.lines) (
  sfunc = api.pack, stype = extra."application/vnd.packed", initcond = ''
);
create function api.add_csv_line(state text, line api.lines) returns text language sql immutable
  as $$ select state || line.id || ',' || line.name || E'\n' $$;
create function api.name_csv(state text) returns api."text/csv" language plpgsql volatile as $$
begin
  perform set_config(
    'response.headers', '[{"Content-Disposition": "attachment; filename=\"lines.csv\""}]', true);
  return E'\uFEFF' || state;
end $$;
create aggregate api.csv(api.lines) (
  sfunc = api.add_csv_line, stype = text, initcond = '', finalfunc = api.name_csv
);
create function api.all_lines() returns setof api.lines language sql stable as $$ select * from api.lines $$;
create function api.pack_line(id int) returns extra."application/vnd.packed" language sql stable
  as $$ select int4send(l.id)::extra."application/vnd.packed" from api.lines l where l.id = pack_line.id $$;

create table api.documents (body xml);
insert into api.documents values ('<a/>'), ('<b>c</b>');
create function api.join_xml(state xml, document api.documents) returns xml language sql immutable
  as $$ select xmlconcat(state, document.body) $$;
create function api.as_xml(xml) returns api."text/xml" language sql immutable as $$ select $1 $$;
create aggregate api.xml(api.documents) (sfunc = api.join_xml, stype = xml, finalfunc = api.as_xml);

-- Rows of any relation, and one relation that has its own way.
create function api.count_one(state api."application/vnd.count+json", anyelement)
  returns api."application/vnd.count+json" language sql immutable
  as $$ select jsonb_build_object('count', (state ->> 'count')::int + 1)::api."application/vnd.count+json" $$;
create aggregate api.counted(anyelement) (
  sfunc = api.count_one, stype = api."application/vnd.count+json", initcond = '{"count": 0}'
);
create function api.add_row(state api."pg/rows", anyelement) returns api."pg/rows" language sql immutable
  as $$ select (state || $2::text || E'\n')::api."pg/rows" $$;
create aggregate api.rows(anyelement) (sfunc = api.add_row, stype = api."pg/rows", initcond = '');

create table api.shops (id int primary key, name text);
insert into api.shops values (1, 'corner');
create function api.count_shops(state api."application/vnd.count+json", api.shops)
  returns api."application/vnd.count+json" language sql immutable as $$ select '"own"'::jsonb $$;
create aggregate api.counted_shops(api.shops) (
  sfunc = api.count_shops, stype = api."application/vnd.count+json", initcond = '{}'
);
create function api.own_json(state api."application/json", api.shops)
  returns api."application/json" language sql immutable as $$ select '{"own": true}'::json $$;
create aggregate api.json(api.shops) (sfunc = api.own_json, stype = api."application/json", initcond = '{}');
create function api.all_shops() returns setof api.shops language sql stable as $$ select * from api.shops $$;
create function api.shouted(api.shops) returns text language sql immutable as $$ select upper($1.name) $$;

create table api.projects (id int primary key, name text, shop_id int references api.shops (id));
insert into api.projects values (1, 'roof', 1), (2, 'door', null);
create function api.add_tabs(state api."text/tab-separated-values", project api.projects)
  returns api."text/tab-separated-values" language sql immutable
  as $$ select (state || project.id || E'\t' || project.name || E'\n') $$;
create aggregate api.tabs(api.projects) (
  sfunc = api.add_tabs, stype = api."text/tab-separated-values", initcond = E'id\tname\n'
);

-- Any media type.
create table api.numbers (val int primary key);
insert into api.numbers values (1), (2);
create function api.add_number(state bytea, number api.numbers) returns bytea language sql immutable
  as $$ select state || convert_to(number.val::text, 'UTF8') $$;
create function api.name_numbers(state bytea) returns api."*/*" language plpgsql volatile as $$
declare
  asked text := current_setting('request.headers')::json ->> 'accept';
begin
  if asked = 'magic/number' then
    perform set_config('response.headers', '[{"Content-Type": "magic/number"}]', true);
  end if;
  return state;
end $$;
create aggregate api.any_numbers(api.numbers) (
  sfunc = api.add_number, stype = bytea, initcond = '', finalfunc = api.name_numbers
);
create function api.anything() returns api."*/*" language sql immutable as $$ select 'any'::bytea::api."*/*" $$;
create function api.something() returns api."*/*" language plpgsql stable as $$
declare
  asked text := current_setting('request.headers')::json ->> 'accept';
begin
  case asked
    when 'app/chico' then perform set_config('response.headers', '[{"Content-Type": "app/chico"}]', true);
    when '*/*' then perform set_config('response.headers', '[{"Content-Type": "app/groucho"}]', true);
    else raise sqlstate 'PT406' using message = 'Not Acceptable';
  end case;
  return asked::bytea;
end $$;

-- Functions of one media type.
create function api."page.html"() returns api."text/html" language sql immutable as $$ select '<p>Hello</p>' $$;
create function api.welcome() returns api."text/plain" language sql immutable as $$ select 'Welcome' $$;
create function api.welcome_twice() returns setof api."text/plain" language sql immutable
  as $$ select 'Welcome' union all select 'again' $$;
create function api.one_tag() returns api."text/xml" language sql immutable as $$ select '<tag/>'::xml $$;
create function api.picture() returns api."image/png" language sql immutable as $$ select '\x89504e47'::bytea $$;
create function api.greeting() returns text language sql immutable as $$ select 'Hi'::text $$;

-- What PostGIS does with a row, for want of PostGIS: the column geom is the geometry.
create table api.places (id int primary key, name text, geom json);
insert into api.places values (1, 'here', '{"type": "Point", "coordinates": [1, 2]}');
create function api.one_place(id int) returns setof api.places language sql stable
  as $$ select * from api.places p where p.id = one_place.id $$;
create function extra.st_asgeojson(record) returns text language plpgsql immutable as $$
begin
  if to_jsonb($1) -> 'geom' is null then
    raise sqlstate '22023' using message = 'geometry column is missing';
  end if;
  return json_build_object(
    'type', 'Feature', 'geometry', to_jsonb($1) -> 'geom', 'properties', to_jsonb($1) - 'geom');
end $$;

grant usage on schema api, extra to anon;
grant all on all tables in schema api to anon;
