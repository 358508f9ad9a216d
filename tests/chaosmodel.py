"""What chaos.py streams, and what must become of it.

Workload makes units of actions, and knows what the indexes hold when all is stored.
Stored reads the stand-in's log, Letters the dead letters; both say what of a unit is not
there yet.  A unit's number is in its LSN, so it is known again in a version: a place in
the unit is added there, at least the action's j, the number of actions on the document
before it.  (The writer's counters may be shared by documents, and then count faster.)
"""
import fnmatch
import json
import os

import msgpack

FIRST_LSN = 0x1000000
APART = 4096
RELID = 16401
# Before every unit and place.
NOTHING = (-1, 0)
HOT = 5
# Documents with such ids are mostly merged.
HANDED_ON = ("0", "5")
# The body of an index that the mapper refuses.
BAD_BODY = "[1]"
# The ids that a fault answers 400 for start so.
BAD_ID = "bad"


def frame(*elements):
    return msgpack.packb(elements, use_bin_type=True)


def unit_of(version):
    """A version's unit and place.  The delete of a merge_from may have the place -1."""
    unit = (version + 1) // (APART * 16) - FIRST_LSN // APART
    return unit, version - (FIRST_LSN + unit * APART) * 16


class Action:
    """What must be seen of an action before its unit may be acked.

    kind: "stored" (or what supersedes it), "letter" (or a later one, or what supersedes it),
    "plain" (without version: all of the document before it, too), "truncate".
    """

    def __init__(self, kind, op, index, id_, routing, j, ordinal):
        self.kind, self.op, self.index, self.id = kind, op, index, id_
        self.routing, self.j, self.ordinal = routing, j, ordinal

    def __str__(self):
        return f"{self.op} {self.index}/{self.id} routing={self.routing} place={self.j}"


class Unit:
    def __init__(self, number):
        self.number = number
        self.lsn = FIRST_LSN + number * APART
        self.begin = frame("B", self.lsn, 0, 7)
        self.frames = []
        self.actions = []
        self.by_document = {}
        # Of each frame: what a writer without versions is to do, (id, op), or None.
        self.plain = []
        self.truncate = None

    def commit(self, seq):
        return frame("C", self.lsn + 48, seq)

    def count(self, index, id_):
        """The number of actions on a document so far that the writer counts."""
        return sum(a.j >= 0 and not a.op.startswith("move")
                   for a in self.by_document.get((index, id_), ()))

    def action(self, kind, op, index, id_, routing, j=None):
        if j is None:
            j = self.count(index, id_)
        a = Action(kind, op, index, id_, routing, j, len(self.actions))
        self.actions.append(a)
        self.by_document.setdefault((index, id_), []).append(a)
        return a

    def find(self, op, index, id_, place):
        """The action behind a line of the log; None: a truncate's delete."""
        best = None
        for a in self.by_document.get((index, id_), ()):
            if a.op.removeprefix("move-") == op and a.j <= place and \
                    (best is None or a.j >= best.j):
                best = a
        return best

    def put(self, op, index, id_, version, routing, body, more=None):
        self.frames.append(frame("X", op, RELID, index, id_, version, routing, body,
                                 *([more] if more else [])))
        self.plain.append((id_, op) if version is False else None)


class Workload:
    """Units, made one after the other by a random generator of its own."""

    def __init__(self, rng, plain):
        self.rng = rng
        self.units = []
        self.n = 0
        self.live = {}  # (index, id): (routing, document, unit, j)
        self.plain_live = {}  # id: document
        self.plain_ids = [f"p{i}" for i in range(5)] if plain else []
        self.documents = [(f"c-{'ab'[i % 2]}", f"d{i}") for i in range(300)]
        self.hot = [("c-a" if i % 2 else "c-b", f"hot{i}") for i in range(HOT)]
        self.counts = dict.fromkeys(
            ("units", "index", "delete", "reroute", "merge", "move", "plain", "rejected",
             "truncate"), 0)

    def body(self, lacks_bio=False):
        self.n += 1
        document = {"n": self.n}
        r = self.rng.random()
        if r < 0.3:
            document["pad"] = "x" * self.rng.randrange(20 if r < 0.2 else 4000)
        if not lacks_bio and self.rng.random() < 0.5:
            document["bio"] = f"bio {self.n} " + "y" * self.rng.randrange(50)
        return document

    def routing(self, unit, index, id_):
        """Of a document that is there, the same; and no second change in a unit."""
        if (index, id_) in self.live:
            return self.live[index, id_][0]
        if (index, id_) in unit.by_document:
            return unit.by_document[index, id_][-1].routing
        return self.rng.choice((None, None, "r1", "r2", "r3"))

    def make(self):
        unit = Unit(len(self.units))
        self.units.append(unit)
        self.counts["units"] += 1
        if self.rng.random() < 0.006:
            self.truncating(unit)
            return unit
        many = self.rng.random() < 0.05
        for _ in range(self.rng.randrange(5, 30) if many else self.rng.randrange(1, 5)):
            self.one(unit)
        return unit

    def truncating(self, unit):
        """Indexes before and behind it: any delete in the log is then its own."""
        for document in self.rng.sample(self.documents + self.hot, 3):
            self.index(unit, *document)
        pattern = self.rng.choice(("c-a", "c-b", "c-b", "c-*"))
        self.counts["truncate"] += 1
        unit.truncate = unit.action("truncate", "truncate", pattern, None, None)
        unit.put("delete", None, None, None, None, None, {"truncate": {"index": pattern}})
        for key in [k for k in self.live if fnmatch.fnmatch(k[0], pattern)]:
            del self.live[key]
        for document in self.rng.sample(self.documents + self.hot, 3):
            self.index(unit, *document)

    def one(self, unit):
        r = self.rng.random()
        if r < 0.1 and self.plain_ids:
            self.unversioned(unit)
            return
        if r > 0.97:
            self.rejected_id(unit)
            return
        index, id_ = self.rng.choice(self.hot if self.rng.random() < 0.2 else self.documents)
        live = self.live.get((index, id_))
        r = self.rng.random()
        fresh = (index, id_) not in unit.by_document
        if live and id_.endswith(HANDED_ON):
            # A member is handed on from merge to merge, and what went wrong with it, too.
            if r < 0.06:
                self.index(unit, index, id_)
            if r < 0.7:
                self.merge(unit, index, id_)
                return
        if r < 0.15:
            self.delete(unit, index, id_)
        elif r < 0.18:
            self.rejected_body(unit, index, id_)
        elif not live:
            self.index(unit, index, id_)
        elif r < 0.28 and fresh:
            self.reroute(unit, index, id_)
        elif r < 0.34:
            self.merge(unit, index, id_)
        elif r < 0.38 and fresh:
            self.move(unit, index, id_)
        else:
            self.index(unit, index, id_)

    def stands(self, unit, action, document):
        self.live[action.index, action.id] = (action.routing, document, unit.number, action.j)

    def index(self, unit, index, id_, routing=""):
        if routing == "":
            routing = self.routing(unit, index, id_)
        document = self.body()
        self.counts["index"] += 1
        self.stands(unit, unit.action("stored", "index", index, id_, routing), document)
        unit.put("index", index, id_, None, routing, json.dumps(document))

    def delete(self, unit, index, id_):
        routing = self.routing(unit, index, id_)
        self.live.pop((index, id_), None)
        self.counts["delete"] += 1
        unit.action("stored", "delete", index, id_, routing)
        unit.put("delete", index, id_, None, routing, None)

    def reroute(self, unit, index, id_):
        old = self.live[index, id_][0]
        self.counts["reroute"] += 1
        self.delete(unit, index, id_)
        self.index(unit, index, id_,
                   self.rng.choice([r for r in (None, "r1", "r2", "r3") if r != old]))

    def merge(self, unit, index, id_):
        routing, old = self.live[index, id_][:2]
        document = self.body(True)
        self.counts["merge"] += 1
        unit.put("index", index, id_, None, routing, json.dumps(document), {"merge": ["bio"]})
        if "bio" in old:
            document["bio"] = old["bio"]
        self.stands(unit, unit.action("stored", "index", index, id_, routing), document)

    def move(self, unit, index, id_):
        """To another id, or another routing; the writer makes the delete of the old one."""
        routing, old = self.live.pop((index, id_))[:2]
        document = self.body(True)
        self.counts["move"] += 1
        if self.rng.random() < 0.4:
            to, new = id_, self.rng.choice(
                [r for r in (None, "r1", "r2", "r3") if r != routing])
            # Its version is just below the action's.
            gone = unit.count(index, id_) - 1
            op = "move-delete"
        else:
            to = self.rng.choice([i for x, i in self.documents if x == index and i != id_])
            new = self.routing(unit, index, to)
            gone, op = None, "delete"
        unit.put("index", index, to, None, new, json.dumps(document),
                 {"merge": ["bio"], "merge_from": [index, id_, routing]})
        if "bio" in old:
            document["bio"] = old["bio"]
        self.stands(unit, unit.action("stored", "index", index, to, new), document)
        unit.action("stored", op, index, id_, routing, gone)

    def unversioned(self, unit):
        """Index and delete take turns, so that the log shows what was left out."""
        id_ = self.rng.choice(self.plain_ids)
        self.counts["plain"] += 1
        if self.plain_live.pop(id_, None):
            unit.put("delete", "u", id_, False, None, None)
            unit.action("plain", "delete", "u", id_, None)
        else:
            document = self.plain_live[id_] = self.body()
            unit.put("index", "u", id_, False, None, json.dumps(document))
            unit.action("plain", "index", "u", id_, None)

    def rejected_id(self, unit):
        id_ = f"{BAD_ID}{self.rng.randrange(20)}"
        self.counts["rejected"] += 1
        unit.action("letter", "index", "c-a", id_, None)
        unit.put("index", "c-a", id_, None, None, json.dumps(self.body()))

    def rejected_body(self, unit, index, id_):
        """What was there before must stay."""
        routing = self.routing(unit, index, id_)
        self.counts["rejected"] += 1
        unit.action("letter", "index", index, id_, routing)
        unit.put("index", index, id_, None, routing, BAD_BODY)

    def difference(self, lines):
        """What is wrong with the documents, JSON lines of the stand-in."""
        plain = dict(self.plain_live)
        live = dict(self.live)
        for line in lines:
            doc = json.loads(line)
            index, id_ = doc["_index"], doc["_id"]
            got = (doc.get("routing"), doc["_source"])
            if index == "u":
                if (want := plain.pop(id_, None)) != doc["_source"]:
                    yield f"u/{id_}: got {doc}, want {want}"
                continue
            want = live.pop((index, id_), None)
            unit, place = unit_of(doc["_version"])
            if want is None or got != want[:2] or unit != want[2] or place < want[3]:
                yield f"{index}/{id_}: got {doc} of unit {unit}, want {want}"
        for key, want in list(live.items()) + list(plain.items()):
            yield f"{key}: missing, want {want}"


class Letters:
    """The file of dead letters, read as it grows."""

    def __init__(self, path):
        self.path = path
        self.good = 0  # the end of the last whole record
        self.last = {}  # (index, id, routing): the highest (unit, place)
        self.letter = None
        self.again()

    def again(self):
        """A writer has begun: it cut off what the one before left in part."""
        self.read = self.base = self.good
        self.unpacker = msgpack.Unpacker(raw=False)

    def take(self):
        if not os.path.exists(self.path):
            return
        with open(self.path, "rb") as f:
            f.seek(self.read)
            data = f.read()
        self.read += len(data)
        self.unpacker.feed(data)
        for f in self.unpacker:
            if f[0] == "X":
                self.letter = f
            elif f[0] == "E":
                _, _, _, index, id_, version, routing = self.letter[:7]
                key = (index, id_, routing)
                self.last[key] = max(unit_of(version), self.last.get(key, NOTHING))
                self.good = self.base + self.unpacker.tell()

    def has(self, key, at):
        """Itself, or a later one that superseded it."""
        if self.last.get(key, NOTHING) < at:
            self.take()
        return self.last.get(key, NOTHING) >= at


class Stored:
    """The stand-in's log, read as it grows: what is stored, and in which order."""

    def __init__(self, path, workload, letters):
        self.log = open(path, encoding="utf-8")
        self.rest = ""
        self.units = workload.units
        self.letters = letters
        self.best = {}  # (index, id, routing): the highest (unit, place)
        self.live = {}  # (index, id, routing): (unit, ordinal)
        self.sent = {}  # what this run sent without versions, by id: operations, repeats left out
        self.done = {}  # and how many of them were executed
        self.wrong = []

    def new_run(self):
        self.take()
        self.sent, self.done = {}, {}
        self.letters.again()

    def sends(self, id_, op):
        ops = self.sent.setdefault(id_, [])
        if not ops or ops[-1] != op:
            ops.append(op)
        return len(ops)

    def take(self):
        # The stand-in may be writing the last line just now.
        *lines, self.rest = (self.rest + self.log.read()).split("\n")
        for line in lines:
            _, op, index, id_, version, status = line.split()
            if status not in ("200", "201", "404", "409"):
                continue
            if index == "u":
                self.executed(id_, op)
            else:
                self.stored(op, index, id_, *unit_of(int(version)), status != "409")

    def executed(self, id_, op):
        ops, n = self.sent.get(id_, []), self.done.get(id_, 0)
        if n < len(ops) and ops[n] == op:
            self.done[id_] = n + 1
        elif n == 0 or ops[n - 1] != op:
            self.wrong.append(f"order: u/{id_}: {op} out of turn, {n} of {len(ops)} are done")

    def stored(self, op, index, id_, number, place, happened):
        unit = self.units[number]
        action = unit.find(op, index, id_, place)
        if action is None:
            # A truncate's: which routing is not known, and older than it are all.
            if unit.truncate is None or op != "delete":
                self.wrong.append(f"order: nobody sent {op} {index}/{id_} of unit {number}")
            elif happened:
                for key in [k for k, at in self.live.items()
                            if k[:2] == (index, id_) and at < (number, unit.truncate.ordinal)]:
                    del self.live[key]
            return
        key = (index, id_, action.routing)
        self.best[key] = max((number, place), self.best.get(key, NOTHING))
        if happened and op != "delete":
            self.live[key] = (number, action.ordinal)
        elif happened or self.live.get(key, (number,)) < (number, action.ordinal):
            # What stands there now may have another routing.
            self.live.pop(key, None)

    def lacks(self, unit, plain):
        """What is not yet done of the unit's actions; plain: what sends said of each."""
        plain = iter(plain)
        for a in unit.actions:
            key, at = (a.index, a.id, a.routing), (unit.number, a.j)
            if a.kind == "letter":
                if self.best.get(key, NOTHING) <= at and not self.letters.has(key, at):
                    return f"the dead letter of {a}"
            elif a.kind == "plain":
                n = next(plain)
                if self.done.get(a.id, 0) < n:
                    return f"{a}: {self.done.get(a.id, 0)} of {n} in this run"
            elif a.kind == "truncate":
                for doc, since in self.live.items():
                    if since < (unit.number, a.ordinal) and fnmatch.fnmatch(doc[0], a.index):
                        return f"truncate of {a.index}: {doc} of unit {since[0]} is there"
            elif self.best.get(key, NOTHING) < at:
                return f"{a}"
        return None

    def undone(self):
        """What was sent without versions and not executed."""
        for id_, ops in self.sent.items():
            if self.done.get(id_, 0) != len(ops):
                yield f"order: u/{id_}: {self.done.get(id_, 0)} of {len(ops)} were done"
