#!/usr/bin/env python3
"""JSON texts that must come through the stages as they are.

    json-cases.py sql [DIRECTORY]             statements that insert them into a table
    json-cases.py check ACTIONS ROWS [DIRECTORY]

The table is cases (id int, j json, b jsonb): b is null where PostgreSQL's jsonb does not
take the text.  DIRECTORY may hold more of them, one in a file y_*.json.  ACTIONS are
the lines of pgcdc-cat, ROWS lines of id, tab, the text of b in
hexadecimal digits.  What json means is compared
exactly: numbers by their digits, members by order, duplicates too; and the bytes between
must be those of the text, but for line ends.
"""
import json
import pathlib
import sys

sys.setrecursionlimit(20000)


class Number(str):
    """A number's own digits."""


DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, object_pairs_hook=tuple)

NUMBERS = """0 -0 0.0 -0.0 0e0 0E+0 -0e-0 1 -1 10 1.0 1.10 1.100 0.1 1e1 1E1 1e+1 1E+2 1e-1 1E-02 1e400
    -1e400 1e-400 123456789012345678901234567890 -9223372036854775809 18446744073709551616
    0.30000000000000004 1.7976931348623159e308 4.9e-324 2.5e-324 9007199254740993 1e00 1e000001
    0.00000000000000000000000000000000000000000000000000000000000000000000000001
    123.456e78 -123.456E-78 100000000000000000000000000000000000000000000000000000000000001e2""".split()
STRINGS = [
    '""', '" "', '"a"', r'"\""', r'"\\"', r'"\/"', '"/"', r'"\b\f\n\r\t"', r'"\u0000"', r'"a\u0000b"',
    r'"\u001f\u007f"', '"\x7f"', r'"\u0022\u005c\u002f"', r'"\u00e9"', '"é"', r'"\uD834\uDD1E"',
    r'"\ud834\udd1e"', '"𝄞"', r'"\uFFFF\ufffe"', '"\uffff\ufffe"', r'"\u2028\u2029"', '"\u2028\u2029"',
    '"\ufeff"', r'"\uFEFF"', '"\U0010ffff"', r'"\udbff\udfff"', '"e\u0301"', '"\u202e\u200d"',
    r'"\\u0000"', r'"\\\\n"', r'"\"\\\"\\"', '"{\\"a\\":1}"', '"</script>"', "\"'\"", '"$a$"', '"%s %n"',
    '"' + "x" * 100000 + '"', '"' + "\\u00e9\\n" * 20000 + '"',
]
# jsonb takes none of these: halves of surrogate pairs are text of JSON all the same.
HALVES = [r'"\ud834"', r'"\udd1e"', r'"\udd1e\ud834"', r'"\ud834x"', r'"\ud834\n"', r'"\ud834\ud834\udd1e"']
STRUCTURES = [
    "null", "true", "false", "[]", "{}", "[[]]", "[{}]", '{"":{}}', '{"":[]}', '{"a":null}', "[null,true,false]",
    '{"a":1,"a":2}', '{"a":1,"b":2,"a":1}', '{"a":{"b":1,"b":2},"a":{"b":3}}', '{"":1,"":2}', '{"a":[],"a":{}}',
    '{"\\u0061":1,"a":2}', '{"\\n":1,"\\"":2,"\\\\":3,"é":4,"\\u00e9":5}', '{"__proto__":{"a":1},"constructor":2}',
    '{"$absent":true}', '{"$json":"{}"}', '{"a.b":1,".":2,"..":3," ":4}', '{"_id":1,"_source":{}}',
    '{"' + "k" * 70000 + '":1}', "[" + ",".join(map(str, range(20000))) + "]",
    "{" + ",".join(f'"{i}":{i}' for i in range(3000)) + "}", "[" * 500 + "]" * 500, "[" * 500 + "1.0" + "]" * 500,
    '{"a":' * 400 + "[]" + "}" * 400, '[{"a":' * 200 + "1" + "}]" * 200,
    '{"b":{"d":{"f":[1,[2,[3,{"g":"h"}]]]}},"a":[{"c":[]},{},[]]}',
]
BLANKS = [" ", "\t", "\n", "\r", "\r\n", "  \n\t\r\n  "]
BLANK = (
    [f"{b}{t}{b}" for b in BLANKS for t in ("1", '"a b"', "null", "[]", "{}")]
    + [f'{b}{{{b}"a"{b}:{b}[{b}1{b},{b}-2.50e+3{b},{b}"x y\\n"{b},{b}{{{b}}}{b},{b}[{b}]{b}]{b},{b}"b"{b}:{b}true{b}}}{b}'
       for b in BLANKS]
    + ['[\n\n\n1,\n\n2\n]', '{\n"a": 1,\n\n"a": 2\n}', '"no\\nline"', '["a  b" ,\n"c\\r\\nd"]']
)


def cases(directory):
    for text in NUMBERS + STRINGS + STRUCTURES + BLANK:
        yield text, True
    for text in HALVES:
        yield text, False
    for text in NUMBERS:
        yield f'{{"n":[{text},{text} ,\n{text}]}}', True
    if directory:
        for path in sorted(pathlib.Path(directory).rglob("y_*.json")):
            text = path.read_bytes().decode("utf-8")
            try:
                good = "\0" not in text and "\ud800" not in json.dumps(json.loads(text))
            except ValueError:
                continue  # not one to Python
            yield text, good


def has_jsonb(text, good):
    """jsonb has no \\u0000, and numbers and members of some size only."""
    return good and "\\u0000" not in text.replace("\\\\", "")


def sql(directory):
    for number, (text, good) in enumerate(cases(directory), 1):
        literal = text.replace("'", "''")
        escaped = f"E'{literal}'".replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
        print(f"INSERT INTO cases VALUES ({number}, {escaped}, "
              f"{escaped if has_jsonb(text, good) else 'NULL'});")


def problem(number, text, body, jsonb):
    if "\n" in body or "\r" in body:
        return "the document is on more than one line"
    document = dict(DECODER.decode(body))
    expected = DECODER.decode(text)
    if document["j"] != expected:
        return f"json: got {str(document['j'])[:100]}"
    if text.replace("\n", " ").replace("\r", " ") not in body:
        return f"json: other bytes: {body[:200]}"
    wanted = DECODER.decode(jsonb) if jsonb else None
    if document["b"] != wanted:
        return f"jsonb: got {str(document['b'])[:100]}"
    if document["id"] != str(number):
        return "id: another row's"
    return None


def check(actions, rows, directory):
    with open(rows, encoding="ascii") as lines:
        jsonb = {k: bytes.fromhex(v).decode() for k, v in (line.split("\t") for line in lines)}
    bodies = {}
    with open(actions, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            frame = json.loads(line)
            if frame[0] == "X":
                bodies[frame[4]] = frame[7] if frame[1] == "index" else f"{frame[1]}: {frame[7]}"
    bad = count = 0
    for number, (text, _) in enumerate(cases(directory), 1):
        count += 1
        body = bodies.get(str(number), "no action")
        try:
            why = problem(number, text, body, jsonb[str(number)])
        except (ValueError, KeyError):
            why = f"no document: {body[:200]}"
        if why:
            bad += 1
            if bad <= 20:
                print(f"{number}: {text[:60]!r}: {why}")
    if len(bodies) != count:
        print(f"{len(bodies)} actions of {count} rows")
    print(f"{count} texts, {bad} bad")
    return bad > 0 or len(bodies) != count


sys.stdout.reconfigure(encoding="utf-8")
if sys.argv[1] == "sql":
    sql(sys.argv[2] if len(sys.argv) > 2 else None)
else:
    sys.exit(check(sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None))
