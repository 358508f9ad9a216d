#!/usr/bin/env python3
"""Where two files of canonical documents (documents.py) differ, member by member.

    differences.py [--doubles] GOT EXPECTED

Prints a line for each of the first differences: id, path, what was got, what was
expected.  Numbers differ when they are written differently; with --doubles, when they are
other doubles, and infinite ones may be strings.
"""
import json
import sys

LIMIT = 15


class Number(str):
    """A number's own digits."""


DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number,
                           object_pairs_hook=lambda pairs: tuple(sorted(pairs, key=lambda p: p[0])))


def load(path):
    with open(path, encoding="utf-8", errors="surrogatepass", newline="\n") as lines:
        return {k: v for k, _, v in (line.rstrip("\n").partition("\t") for line in lines)}


def show(value):
    text = value if isinstance(value, Number) else json.dumps(value)
    return text if len(text) <= 120 else f"{text[:50]}...({len(text)})...{text[-50:]}"


def double(value):
    """A number as a double, where a server made one of it; anything else as it is."""
    if not isinstance(value, Number) and value not in ("Infinity", "-Infinity"):
        return value
    return str(float(value))


def differences(path, got, expected):
    if DOUBLES and isinstance(expected, Number):
        got, expected = double(got), double(expected)
    if type(got) is not type(expected):
        yield path, got, expected
    elif isinstance(got, tuple) and [k for k, _ in got] == [k for k, _ in expected]:
        for (key, one), (_, other) in zip(got, expected):
            yield from differences(f"{path}.{key}", one, other)
    elif isinstance(got, list) and len(got) == len(expected):
        for i, (one, other) in enumerate(zip(got, expected)):
            yield from differences(f"{path}[{i}]", one, other)
    elif got != expected:
        yield path, got, expected


def main(got, expected):
    got, expected = load(got), load(expected)
    found = 0
    for key in sorted(set(got) | set(expected)):
        if key not in got or key not in expected:
            print(key, "is not there" if key not in got else "should not be there")
            found += 1
        elif got[key] != expected[key]:
            for path, one, other in differences("", DECODER.decode(got[key]),
                                                DECODER.decode(expected[key])):
                found += 1
                if found <= LIMIT:
                    print(f"{key}{path}: got {show(one)}, expected {show(other)}")
    if found > LIMIT:
        print(f"and {found - LIMIT} more")


DOUBLES = sys.argv[1] == "--doubles"
main(*sys.argv[-2:])
