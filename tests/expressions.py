#!/usr/bin/env python3
"""expressions.py N SEED: N random conditions on the table of 24-map-expr.t, a line each.

Most are good SQL; some mix types, or cast what some rows do not allow.
"""
import random
import sys

COLUMNS = {
    "int": ["id", "small", "big"],
    "numeric": ["price"],
    "float8": ["ratio"],
    "text": ["name", "digits"],
    "bpchar": ["code"],
    "bool": ["flag"],
    "date": ["day"],
    "timestamp": ["at"],
    "timestamptz": ["at_tz"],
    "uuid": ["uuid"],
}
NUMBERS = ["int", "numeric", "float8"]
TIMES = ["date", "timestamp", "timestamptz"]
LITERALS = {
    "int": ["0", "1", "-3", "7", "'7'", "2147483648", "32767", "-9223372036854775808", "null"],
    "numeric": ["12.5", "12.50", "-0.001", "'NaN'", "1e3", ".5", "7.0", "'1e2'", "1.", "null"],
    "float8": ["0.1", "'NaN'", "'-Infinity'", "1e300", "-0.0", "1e15", "'1e-5'", "null"],
    "text": ["'abc'", "''", "'ABC'", "'a€ß'", "'a%c'", "'it''s'", "'7'", "'a\\'", "null"],
    "bpchar": ["'ab'", "'ab '", "''", "'abc'", "null"],
    "bool": ["true", "false", "null", "'yes'", "'off'"],
    "date": ["'2026-11-23'", "date '0044-03-15 BC'", "'infinity'", "'10000-01-01'", "null",
             "date '2024-02-29'"],
    "timestamp": ["'2026-11-23 01:02:03.4'", "timestamp '2026-11-23'", "'-infinity'",
                  "'2026-11-23T23:59:60'", "null", "'2026-11-23 01:02:03.4000005'"],
    "timestamptz": ["'2026-11-23 01:02:03.4+00'", "timestamptz '2026-11-23 03:02:03.4+02'",
                    "'infinity'", "timestamp with time zone '0001-01-01 00:00Z BC'", "null"],
    "uuid": ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
             "'{a0eebc999c0b4ef8bb6d6bb9bd380a12}'", "null"],
}
PATTERNS = ["'%'", "'a%'", "'%c'", "'_b_'", "'A%'", "'%%b%_'", "'a\\%c'", "'ÄÖ_'", "''", "'%a%b%c%'"]
COMPARISONS = ["=", "<>", "!=", "<", "<=", ">", ">="]
CASTS = {
    "int": ["int", "int2", "bigint", "numeric", "float8", "text"],
    "numeric": ["int", "int8", "float8", "text", "double precision"],
    "float8": ["int", "int8", "numeric", "text"],
    "text": ["int", "numeric", "bool", "date", "timestamp", "timestamptz", "float8", "varchar"],
    "bpchar": ["text", "int"],
    "bool": ["text", "int"],
    "date": ["timestamp", "timestamptz", "text"],
    "timestamp": ["date", "text", "timestamptz"],
    "timestamptz": ["date", "text", "timestamp"],
    "uuid": ["text"],
}
KIND = {"int2": "int", "bigint": "int", "int8": "int", "double precision": "float8",
        "varchar": "text"}


def value(r, kind, depth=0):
    """A value of that kind, or nearly."""
    pick = r.random()
    if pick < 0.5:
        return r.choice(COLUMNS[kind])
    if pick < 0.7 or depth > 1:
        return r.choice(LITERALS[kind])
    if pick < 0.8:
        return "coalesce(%s, %s)" % (value(r, kind, depth + 1), value(r, kind, depth + 1))
    if kind == "text" and pick < 0.9:
        return "%s(%s)" % (r.choice(["lower", "upper"]),
                           value(r, r.choice(["text", "bpchar"]), depth + 1))
    if kind == "int" and pick < 0.85:
        return "length(%s)" % value(r, r.choice(["text", "bpchar"]), depth + 1)
    source, to = r.choice([(k, c) for k in CASTS for c in CASTS[k] if KIND.get(c, c) == kind] or
                          [(kind, None)])
    inner = value(r, source, depth + 1)
    if to is None:
        return inner
    return "(%s)::%s" % (inner, to) if r.random() < 0.5 else "cast(%s as %s)" % (inner, to)


def plain(r, kind):
    """Without null, which PostgreSQL folds before it looks at the rest."""
    while True:
        v = value(r, kind)
        if "null" not in v:
            return v


def near(r, kind):
    """A kind that is compared with this one."""
    for group in (NUMBERS, TIMES):
        if kind in group:
            return r.choice(group)
    if r.random() < 0.03:
        return r.choice(list(COLUMNS))
    return kind


def atom(r):
    kind = r.choice(list(COLUMNS))
    left = value(r, kind)
    negated = r.choice(["", "not "])
    pick = r.random()
    if pick < 0.4:
        return "%s %s %s" % (left, r.choice(COMPARISONS), value(r, near(r, kind)))
    if pick < 0.5:
        return "%s is %snull" % (left, negated)
    if pick < 0.6:
        return "%s %sin (%s)" % (r.choice(COLUMNS[kind]), negated, ", ".join(
            plain(r, kind) for _ in range(r.randint(1, 4))))
    if pick < 0.7:
        return "%s %sbetween %s and %s" % (r.choice(COLUMNS[kind]), negated, plain(r, kind),
                                           plain(r, kind))
    if pick < 0.8:
        return "%s is %sdistinct from %s" % (left, negated, value(r, near(r, kind)))
    if pick < 0.9:
        return "%s %s%s %s" % (value(r, r.choice(["text", "bpchar"])), negated,
                               r.choice(["like", "ilike"]), r.choice(PATTERNS))
    return "%s is %s%s" % (value(r, "bool"), negated, r.choice(["true", "false", "unknown"]))


def logic(r, depth):
    pick = r.random()
    if depth == 0 or pick < 0.4:
        return atom(r)
    if pick < 0.5:
        return "not " + logic(r, depth - 1)
    if pick < 0.6:
        return "(%s)" % logic(r, depth - 1)
    return "%s %s %s" % (logic(r, depth - 1), r.choice(["and", "or"]), logic(r, depth - 1))


def main():
    r = random.Random(int(sys.argv[2]))
    for _ in range(int(sys.argv[1])):
        print(logic(r, r.choice([0, 0, 1, 2, 3])))


main()
