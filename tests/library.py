#!/usr/bin/env python3
"""Authors and books: a random workload, and what the index of them must answer.

    library.py work SEED STEPS        statements for psql, a transaction now and then
    library.py check URL INDEX        standard input: lines of id, tab, author_id, of books,
                                      and id alone, of authors

The check asks by the join field: which authors have children, and who is whose child.
"""
import json
import random
import sys
import urllib.request


START = ("INSERT INTO authors SELECT i, 'author ' || i FROM generate_series(1, 5) i"
         " ON CONFLICT DO NOTHING;")


def statement(r, key):
    """One with a key of its own, from 0 to 49,999 beyond a multiple of 100,000."""
    author = "(SELECT id FROM authors ORDER BY hashint4(id + %d), id LIMIT 1)"
    book = "(SELECT id FROM books ORDER BY hashint4(id + %d), id LIMIT %d)"
    any_author = author % r.getrandbits(20)
    books = book % (r.getrandbits(20), r.choice([1, 1, 3, 10]))
    return r.choices([
        f"INSERT INTO authors VALUES ({key}, 'author {key}');",
        f"INSERT INTO books SELECT {key}, 'book {key}', id FROM {any_author} a;",
        f"INSERT INTO books SELECT {key} + 50000 + i, 'one of many', id FROM {any_author} a,"
        " generate_series(1, 5) i ON CONFLICT DO NOTHING;",
        f"UPDATE authors SET name = name || '.' WHERE id = {any_author};",
        f"UPDATE books SET title = title || '.' WHERE id IN {books};",
        # to another author, and back again, perhaps in one transaction
        f"UPDATE books SET author_id = {any_author} WHERE id IN {books};",
        f"UPDATE books SET author_id = {any_author}, id = id + 1000000 WHERE id IN {books}"
        " AND id < 1000000 AND NOT EXISTS (SELECT FROM books o WHERE o.id = books.id + 1000000);",
        f"UPDATE books SET id = id - 1000000 WHERE id IN {books} AND id >= 1000000"
        " AND NOT EXISTS (SELECT FROM books o WHERE o.id = books.id - 1000000);",
        f"DELETE FROM books WHERE id IN {books};",
        f"DELETE FROM authors WHERE id = {any_author} AND (SELECT count(*) > 3 FROM authors);",
        # the books follow
        f"UPDATE authors SET id = {key} WHERE id = {any_author};",
        # a key is deleted and comes again, with another author
        f"CREATE TEMP TABLE gone AS SELECT id FROM books WHERE id IN {books};"
        " DELETE FROM books WHERE id IN (SELECT id FROM gone);"
        f" INSERT INTO books SELECT id, 'again', {any_author} FROM gone; DROP TABLE gone;",
    ], [4, 12, 4, 6, 10, 10, 4, 3, 5, 2, 3, 3])[0]


def work(seed, steps):
    r = random.Random(seed)
    fresh = 0
    print(START)
    for _ in range(steps):
        size = r.choice([1, 1, 1, 2, 5, 20])
        if size > 1:
            print("BEGIN;")
        for _ in range(size):
            fresh += 1
            print(statement(r, seed % 1000 * 100000 + fresh))
        if size > 1:
            print(r.choice(["COMMIT;", "COMMIT;", "COMMIT;", "ROLLBACK;"]))


def ask(url, path, body=None):
    request = urllib.request.Request(f"{url}/{path}", method="POST",
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)


def ids(url, index, query):
    hits = ask(url, f"{index}/_search", {"size": 10000, "_source": False, "query": query})["hits"]["hits"]
    found = sorted(hit["_id"] for hit in hits)
    if len(found) != len(set(found)):
        print("an id is there twice:", [i for i in found if found.count(i) > 1][:5])
    return found


def check(url, index):
    children = {}
    for line in sys.stdin:
        key, _, author = line.rstrip("\n").partition("\t")
        if author:
            children.setdefault(f"a{author}", []).append(f"b{key}")
        else:
            children.setdefault(f"a{key}", [])
    ask(url, f"{index}/_refresh")
    anything = {"match_all": {}}
    asked = [
        ("all documents", anything, [*children, *(b for c in children.values() for b in c)]),
        ("authors", {"term": {"relation": "author"}}, children),
        ("has_child", {"has_child": {"type": "book", "query": anything}},
         [a for a, c in children.items() if c]),
        ("has_parent", {"has_parent": {"parent_type": "author", "query": anything}},
         [b for c in children.values() for b in c]),
    ]
    asked += [(f"children of {a}", {"parent_id": {"type": "book", "id": a}}, c)
              for a, c in children.items()]
    for what, query, expected in asked:
        got, expected = ids(url, index, query), sorted(expected)
        if got != expected:
            print(f"{what}: missing {sorted(set(expected) - set(got))[:5]},",
                  f"too many {sorted(set(got) - set(expected))[:5]}")


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work(int(sys.argv[2]), int(sys.argv[3]))
    else:
        check(*sys.argv[2:])
