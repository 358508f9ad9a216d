"""What the server says was committed, by another decoder, held against what was stored.

A second slot, of the plugin test_decoding, tells each transaction's end and the keys that it
changed.  The stand-in's log tells what it stored, in its order, and samples of the slot's
confirmed_flush_lsn how long that log was then: whatever ends at or before the confirmed LSN must
be stored in that part of it.
"""
import collections
import hashlib
import re
import subprocess
import urllib.parse

PLACES = 16  # of an LSN in a version: see esbulk-write(1)

HEAD = re.compile(r'table ((?:"(?:[^"]|"")*"|[^".]+)\.(?:"(?:[^"]|"")*"|[^":]+)): (INSERT|UPDATE|DELETE):')
NAME = re.compile(r'(?:"(?:[^"]|"")*"|[^".]+)\.(?:"(?:[^"]|"")*"|[^":,]+)')
VALUE = re.compile(r" (\"(?:[^\"]|\"\")*\"|[^\"\[ ]+)\[.*?\]:('(?:[^']|'')*'|B'[01]*'|[^ ]*)", re.S)
COPY = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}

# A transaction: where the one before it ends, where it ends, and its changes.
Commit = collections.namedtuple("Commit", "after end changes")
# document: whether there is one then; unsent: a large value was not sent.  id None: a truncate.
Change = collections.namedtuple("Change", "index id document unsent")


def values(text, at, columns):
    """The columns' values of the tuple there."""
    found = {}
    while len(found) < len(columns):
        match = VALUE.match(text, at)
        if not match:
            break
        at = match.end()
        name, value = match.groups()
        if name in columns:
            found[name] = value[1:-1].replace("''", "'") if value[0] == "'" else value
    return found


class Ledger:
    def __init__(self, rules):
        """rules: table's name as the decoder has it to (index, key's columns, id of a dict)."""
        self.rules = rules
        self.commits = []
        self.rows = 0

    def read(self, slot, upto):
        query = ("COPY (SELECT lsn - '0/0', data FROM pg_logical_slot_get_changes('%s', '%s', NULL,"
            " 'include-xids', '0', 'skip-empty-xacts', '1')) TO STDOUT" % (slot, upto))
        end, changes = 0, []
        with subprocess.Popen(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", query],
                stdout=subprocess.PIPE, encoding="utf-8") as psql:
            for line in psql.stdout:
                lsn, _, data = line.rstrip("\n").partition("\t")
                if "\\" in data:
                    data = re.sub(r"\\(.)", lambda m: COPY.get(m.group(1), m.group(1)), data)
                if data.startswith("COMMIT"):
                    self.commits.append(Commit(end, int(lsn), changes))
                    end, changes = int(lsn), []
                elif data.startswith("table "):
                    changes += self.changes(data)
        if psql.returncode != 0:
            raise RuntimeError("the ledger cannot be read")

    def changes(self, data):
        head = HEAD.match(data)
        if not head:
            names = NAME.findall(data[6:data.rindex(": TRUNCATE:")].replace(", ", ","))
            return [Change(i, None, False, False) for i in {
                self.rules[n][0] for n in names if n in self.rules}]
        self.rows += 1
        if head.group(1) not in self.rules:
            return []
        index, columns, make = self.rules[head.group(1)]
        at, old, found = head.end(), None, []
        if data.startswith(" old-key:", at):
            # Up to the new tuple, which a text may look like: value by value.
            place = at + len(" old-key:")
            while match := VALUE.match(data, place):
                place = match.end()
            old = values(data, at + len(" old-key:"), columns)
            at = place + len(" new-tuple:")
        if head.group(2) == "DELETE":
            return [Change(index, ident(make(values(data, at, columns))), False, False)]
        new = ident(make(values(data, at, columns)))
        if old is not None and ident(make(old)) != new:
            found.append(Change(index, ident(make(old)), False, False))
        found.append(Change(index, new, True, "unchanged-toast-datum" in data))
        return found


def ident(text):
    raw = text.encode()
    return raw if len(raw) <= 512 else hashlib.sha256(raw).hexdigest().encode()


class Stored:
    """The stand-in's log, read up to where it was at a time."""

    def __init__(self, path, unordered):
        self.log = open(path, "rb")
        self.at = 0
        self.unordered = unordered  # indexes in which one id may be several documents
        self.version = collections.defaultdict(dict)  # by index, id: the highest
        self.live = collections.defaultdict(dict)  # by index, id: the document's
        self.items = 0
        self.wrong = []

    def upto(self, size):
        while self.at < size:
            line = self.log.readline()
            if not line.endswith(b"\n") or self.at + len(line) > size:
                self.log.seek(self.at)
                return
            self.at += len(line)
            self.items += 1
            _, op, index, key, version, status = line.split()
            index, key, version = index.decode(), urllib.parse.unquote_to_bytes(key), int(version)
            if status not in (b"200", b"201", b"404", b"409"):
                self.wrong.append("an item failed: %r" % line)
                continue
            highest = self.version[index].get(key, 0)
            if status != b"409":
                if version < highest and index not in self.unordered:
                    self.wrong.append("an older version over %d: %r" % (highest, line))
                if op == b"delete":
                    self.live[index].pop(key, None)
                else:
                    self.live[index][key] = version
            self.version[index][key] = max(highest, version)


def early(ledger, samples, stored, fetches):
    """What was confirmed and not stored, as texts; and how many changes were looked at.

    fetches: large values that were not sent may have been fetched, and then rows that were gone
    were left out, for their end comes later.
    """
    gone = {}
    for n, commit in enumerate(ledger.commits):
        for change in commit.changes:
            if not change.document:
                gone[change.index, change.id] = n
    bad, looked, n = [], 0, 0
    for confirmed, size in samples:
        stored.upto(size)
        while n < len(ledger.commits) and ledger.commits[n].end <= confirmed:
            commit = ledger.commits[n]
            for change in commit.changes:
                looked += 1
                least = commit.after * PLACES
                if change.id is None:
                    bad += ["%X was confirmed, %X truncates %s, which still has %r" % (
                        confirmed, commit.end, change.index, key)
                        for key, version in stored.live[change.index].items() if version < least]
                elif stored.version[change.index].get(change.id, 0) < least:
                    later = max(gone.get((change.index, i), -1) for i in (change.id, None))
                    if not (change.unsent and fetches and later > n):
                        bad.append("%X was confirmed, %X changes %s %r, stored is %X" % (confirmed,
                            commit.end, change.index, change.id,
                            stored.version[change.index].get(change.id, 0) // PLACES))
            n += 1
    return bad, looked


def early_seen(ledger, looks, fetches):
    """The same by looks at all documents: each the LSN that was confirmed before, and what
    RealNode.look found."""
    bad, looked = [], 0
    for confirmed, found in looks:
        state, begun, gone = {}, {}, {}
        for commit in ledger.commits:
            for change in commit.changes:
                if commit.end > confirmed:
                    if not change.document:
                        gone[change.index, change.id] = True
                elif change.id is None:
                    begun[change.index] = commit
                else:
                    state[change.index, change.id] = (commit, change)
        for key, (commit, change) in state.items():
            looked += 1
            version = max((v for v, _ in found.get(key, [])), default=None)
            least = commit.after * PLACES
            if version is not None and version < least:
                bad.append("%X was confirmed, %X changes %s %r, stored is %X" % (confirmed, commit.end,
                    *key, version // PLACES))
            elif version is None and change.document and not (key in gone or (key[0], None) in gone
                    or (key[0] in begun and begun[key[0]].end >= commit.end)
                    or (fetches and change.unsent)):
                bad.append("%X was confirmed, %X changes %s %r, which is not there" % (
                    confirmed, commit.end, *key))
        for (index, key), all_of_it in found.items():
            if index in begun and max(all_of_it)[0] < begun[index].after * PLACES:
                bad.append("%X was confirmed, %X truncates %s, which still has %r" % (
                    confirmed, begun[index].end, index, key))
    return bad, looked


def versions(ledger, stored, exact):
    """Documents whose version is not that of their last change; above it is right where they were
    loaded, too."""
    last = {}
    for commit in ledger.commits:
        for change in commit.changes:
            if change.id is not None:
                last[change.index, change.id] = (commit, change)
    for (index, key), (commit, change) in last.items():
        version = stored.live[index].get(key)
        if not change.document or version is None:
            continue  # the comparison of documents tells
        if version < commit.after * PLACES or (exact and version >= commit.end * PLACES):
            yield "%s %r has version %X of %X to %X" % (
                index, key, version // PLACES, commit.after, commit.end)
