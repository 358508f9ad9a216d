#!/usr/bin/env python3
"""Documents as lines that can be compared: id, tab, canonical JSON, sorted by id.

    documents.py fetch URL INDEX    all documents of an index, however many
    documents.py canonical          standard input: lines of id, tab, JSON
    documents.py value              standard input: one JSON value, alone

Canonical JSON has no blanks and sorted members; numbers stand as they were
written, and members that come twice are there twice, so nothing is hidden.
"""
import base64
import json
import os
import ssl
import sys
import urllib.request

PAGE = 10000


class Number(str):
    """A number's own digits."""


class Members(tuple):
    """An object's members, sorted, duplicates kept."""


DECODER = json.JSONDecoder(
    parse_int=Number,
    parse_float=Number,
    parse_constant=Number,
    object_pairs_hook=lambda pairs: Members(sorted(pairs, key=lambda pair: pair[0])),
)


def text(value):
    if isinstance(value, Number):
        return value
    if isinstance(value, Members):
        return "{" + ",".join(text(k) + ":" + text(v) for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def ask(method, url, body=None):
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    if "PGCDC_TEST_ES_LOGIN" in os.environ:
        with open(os.environ["PGCDC_TEST_ES_LOGIN"], "rb") as login:
            request.add_header("Authorization",
                               "Basic " + base64.b64encode(login.read().strip()).decode())
    tls = ssl.create_default_context(cafile=os.environ.get("PGCDC_TEST_ES_CACERT"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                         urllib.request.HTTPSHandler(context=tls))
    with opener.open(request, timeout=120) as answer:
        return DECODER.decode(answer.read().decode("utf-8", "surrogatepass"))


def hits(url, index):
    """Every hit of the index, by the scroll API, which all versions have."""
    ask("POST", f"{url}/{index}/_refresh")
    answer = dict(ask("POST", f"{url}/{index}/_search?scroll=5m",
                      {"size": PAGE, "sort": ["_doc"], "version": True}))
    while True:
        page = dict(answer["hits"])["hits"]
        for hit in page:
            yield dict(hit)
        scroll = answer.get("_scroll_id")
        if scroll is None:
            return  # a pattern of no index
        if not page:
            break
        answer = dict(ask("POST", f"{url}/_search/scroll",
                          {"scroll": "5m", "scroll_id": scroll}))
    ask("DELETE", f"{url}/_search/scroll", {"scroll_id": [scroll]})


def lines(source):
    for line in source:
        key, _, value = line.rstrip("\n").partition("\t")
        yield key, DECODER.decode(value)


def main(arguments):
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogatepass")
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogatepass")
    if arguments == ["value"]:
        print(text(DECODER.decode(sys.stdin.read().strip())))
        return 0
    if arguments == ["canonical"]:
        documents = lines(sys.stdin)
    elif len(arguments) == 3 and arguments[0] == "fetch":
        documents = ((hit["_id"], hit["_source"]) for hit in hits(*arguments[1:]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for key, value in sorted((key, text(value)) for key, value in documents):
        print(key, value, sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
