"""The REST API, through the gateway, with postgrest-py as it is. `scripts/e2e.sh` makes the tables of
clients.sql."""

import os
import unittest
import uuid

import httpx
from postgrest import APIError, CountMethod, ReturnMethod, SyncPostgrestClient

URL = os.environ["FERROBASE_URL"]
KEY = os.environ["FERROBASE_ANON_KEY"]


def client(token=KEY):
    headers = {"apikey": KEY, "Authorization": f"Bearer {token}"}
    made = SyncPostgrestClient(f"{URL}/rest/v1", headers=headers)
    unittest.addModuleCleanup(made.aclose)
    return made


def new_user():
    """The access token of somebody who has just signed up."""
    credentials = {"email": f"py-{uuid.uuid4()}@example.com", "password": "correct horse battery staple"}
    answer = httpx.post(f"{URL}/auth/v1/signup", headers={"apikey": KEY}, json=credentials)
    return answer.raise_for_status().json()["access_token"]


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rest = client(new_user())
        shelves = cls.rest.from_("shelves").insert(
            [
                {"name": "novels", "tags": ["red", "tall"], "about": {"floor": 1, "by": {"name": "Ada"}}},
                {"name": "essays", "tags": ["red"], "about": {"floor": 2}},
            ]
        )
        novels, essays = (shelf["id"] for shelf in shelves.execute().data)
        cls.novels = novels
        rows = [
            (novels, "Alpha rising", 100, "[2026-01-01,2026-02-01)"),
            (novels, "Beta, quoted", 200, None),
            (novels, "Gamma (rays)", 300, "[2026-03-01,2026-04-01)"),
            (essays, "Delta falls", 400, None),
            (None, "epsilon", 500, None),
        ]
        names = ("shelf_id", "title", "pages", "lent")
        cls.rest.from_("books").insert([dict(zip(names, row)) for row in rows]).execute()

    def books(self, *columns, **options):
        return self.rest.from_("books").select(*columns, **options)

    def refused(self, code, request):
        with self.assertRaises(APIError) as caught:
            request.execute()
        self.assertEqual(caught.exception.code, code, caught.exception)

    def test_every_filter_finds_its_rows(self):
        table = [
            ("B", lambda books: books.eq("title", "Beta, quoted")),
            ("BGDe", lambda books: books.neq("title", "Alpha rising")),
            ("De", lambda books: books.gt("pages", 300)),
            ("GDe", lambda books: books.gte("pages", 300)),
            ("AB", lambda books: books.lt("pages", 300)),
            ("ABG", lambda books: books.lte("pages", 300)),
            ("A", lambda books: books.like("title", "Al%")),
            ("D", lambda books: books.ilike("title", "delta%")),
            ("AD", lambda books: books.like_any_of("title", "Al%,De%")),
            ("A", lambda books: books.like_all_of("title", "Al%,%ing")),
            ("e", lambda books: books.is_("shelf_id", "null")),
            ("ABGD", lambda books: books.not_.is_("shelf_id", "null")),
            ("BG", lambda books: books.in_("title", ["Beta, quoted", "Gamma (rays)"])),
            ("ABG", lambda books: books.match({"shelf_id": self.novels})),
            ("Ae", lambda books: books.or_("pages.lt.200,and(pages.gt.400,title.eq.epsilon)")),
            ("D", lambda books: books.fts("title", "falls")),
            ("A", lambda books: books.range_lt("lent", ("2026-02-14", "2026-02-17"))),
            ("G", lambda books: books.range_gt("lent", ("2026-02-14", "2026-02-17"))),
        ]
        for expected, build in table:
            with self.subTest(expected=expected):
                found = build(self.books("title")).order("pages").execute().data
                self.assertEqual("".join(book["title"][0] for book in found), expected)

    def test_arrays_and_json_are_searched(self):
        def names(build):
            found = build(self.rest.from_("shelves").select("name")).order("name").execute().data
            return [shelf["name"] for shelf in found]

        self.assertEqual(names(lambda shelves: shelves.contains("tags", ["tall"])), ["novels"])
        self.assertEqual(names(lambda shelves: shelves.contained_by("tags", ["red", "blue"])), ["essays"])
        self.assertEqual(names(lambda shelves: shelves.overlaps("tags", ["red"])), ["essays", "novels"])
        self.assertEqual(names(lambda shelves: shelves.contains("about", {"floor": 2})), ["essays"])
        self.assertEqual(names(lambda shelves: shelves.eq("about->by->>name", "Ada")), ["novels"])

    def test_rows_are_ordered_paged_and_counted(self):
        page = self.books("title", count=CountMethod.exact).order("pages", desc=True).range(1, 2).execute()
        self.assertEqual([book["title"][0] for book in page.data], ["D", "G"])
        self.assertEqual(page.count, 5)
        self.assertEqual(self.books("*", count=CountMethod.exact, head=True).execute().count, 5)
        for method in (CountMethod.planned, CountMethod.estimated):
            self.assertIsInstance(self.books("*", count=method, head=True).execute().count, int)
        self.assertEqual(len(self.books("*").limit(2).offset(4).execute().data), 1)

    def test_related_rows_are_embedded(self):
        shelves = self.rest.from_("shelves").select("name", "books(title)").order("name")
        shelves = shelves.order("pages", desc=True, foreign_table="books").limit(1, foreign_table="books")
        expected = [
            {"name": "essays", "books": [{"title": "Delta falls"}]},
            {"name": "novels", "books": [{"title": "Gamma (rays)"}]},
        ]
        self.assertEqual(shelves.execute().data, expected)
        inner = self.rest.from_("shelves").select("name", "books!inner(title)").gt("books.pages", 300)
        self.assertEqual(inner.execute().data, expected[:1])

    def test_one_row_is_wanted_or_at_most_one(self):
        self.assertEqual(self.books("pages").eq("title", "epsilon").single().execute().data, {"pages": 500})
        self.refused("PGRST116", self.books("*").eq("title", "none").single())
        self.assertIsNone(self.books("*").eq("title", "none").maybe_single().execute())

    def test_an_answer_may_be_csv(self):
        csv = self.books("title", "pages").eq("pages", 100).csv().execute().data
        self.assertEqual(csv, 'title,pages\n"Alpha rising",100')

    def test_the_plan_of_a_statement_is_explained(self):
        self.assertIn("books", self.books("*").explain(format="text", analyze=True).execute())

    def test_functions_are_called(self):
        self.assertEqual(self.rest.rpc("total_pages", {}).execute().data, 1500)
        self.assertEqual(self.rest.rpc("total_pages", {"at_least": "500"}, get=True).execute().data, 500)
        long = self.rest.rpc("long_books", {"at_least": 300}, count=CountMethod.exact)
        answer = long.select("title").order("pages", desc=True).limit(1).execute()
        self.assertEqual((answer.data, answer.count), ([{"title": "epsilon"}], 3))
        self.refused("PGRST202", self.rest.rpc("no_such_function", {"a": 1}))

    def test_rows_are_inserted_upserted_updated_and_deleted(self):
        rest = client(new_user())
        shelves = rest.from_("shelves")
        silent = shelves.insert({"name": "poems"}, returning=ReturnMethod.minimal).execute()
        self.assertEqual(silent.data, [])
        both = [{"name": "poems", "tags": ["new"]}, {"name": "plays", "tags": []}]
        merged = shelves.upsert(both, on_conflict="owner_id,name", count=CountMethod.exact).execute()
        self.assertEqual(sorted((row["name"], row["tags"]) for row in merged.data), [("plays", []), ("poems", ["new"])])
        again = shelves.upsert({"name": "poems"}, on_conflict="owner_id,name", ignore_duplicates=True).execute()
        self.assertEqual(again.data, [])
        books = rest.from_("books")
        made = books.insert([{"title": "short"}, {"title": "long", "pages": 900}], default_to_null=False).execute()
        self.assertEqual([book["pages"] for book in made.data], [100, 900])
        changed = books.update({"pages": 1}, count=CountMethod.exact).gt("pages", 500).execute()
        self.assertEqual((changed.count, changed.data[0]["title"]), (1, "long"))
        self.refused("PGRST124", books.update({"pages": 2}).gt("pages", 0).max_affected(1))
        gone = books.delete(count=CountMethod.exact).eq("pages", 1).execute()
        self.assertEqual((gone.count, len(gone.data)), (1, 1))

    def test_another_schema_is_addressed(self):
        archive = client().schema("archive")
        self.assertEqual(archive.from_("books").select("*").execute().data, [{"id": 1, "title": "An old one"}])
        self.refused("PGRST106", client().schema("auth").from_("users").select("*"))

    def test_errors_are_the_databases_own(self):
        table = [
            ("PGRST205", self.rest.from_("nowhere").select("*")),
            ("42703", self.books("nothing")),
            ("PGRST200", self.books("title", "authors(name)")),
            ("23514", self.rest.from_("books").insert({"title": "x", "pages": 0})),
            ("23503", self.rest.from_("books").insert({"title": "x", "shelf_id": -1})),
            ("23505", self.rest.from_("shelves").insert({"name": "novels"})),
            ("PGRST204", self.rest.from_("books").insert({"title": "x", "nothing": 1})),
            ("22P02", self.books("*").eq("pages", "many")),
            ("42501", client().from_("books").insert({"title": "x"})),
            ("PGRST301", client("no.token.atall").from_("books").select("*")),
        ]
        for code, request in table:
            with self.subTest(code=code):
                self.refused(code, request)


if __name__ == "__main__":
    unittest.main()
