"""What happens to the pipeline under torture, and to the servers and connections around it."""
import os
import random
import resource
import signal
import subprocess
import sys
import time

import liveload

STAGES = ("read", "map", "write")
BELOW = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Proxy:
    """proxy.py before a port."""

    def __init__(self, directory, name, port):
        self.commands = "%s/%s.commands" % (directory, name)
        path = "%s/%s.port" % (directory, name)
        with open(self.commands, "wb"), open("%s/%s.log" % (directory, name), "wb") as log:
            self.process = subprocess.Popen([sys.executable, BELOW + "/proxy.py", path, self.commands,
                str(port)], stdout=log, stderr=log)
        while not os.path.exists(path):
            if self.process.poll() is not None:
                raise RuntimeError("a proxy did not start")
            time.sleep(0.01)
        with open(path, encoding="ascii") as f:
            self.port = int(f.read())

    def tell(self, *lines):
        with open(self.commands, "a", encoding="ascii") as f:
            f.write("".join(line + "\n" for line in lines))


class Supervisor:
    """`pgcdc run`, started as often as it is ended."""

    def __init__(self, directory):
        self.directory = directory
        self.process = None
        self.ending = False  # it was told to

    def start(self):
        self.ending = False
        with open(self.directory + "/pgcdc.log", "ab") as log:
            self.process = subprocess.Popen(["pgcdc", "run", "-c", self.directory + "/pgcdc.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def pid(self, stage):
        """None: it does not run."""
        try:
            name = "pid" if stage == "supervisor" else stage + ".pid"
            with open("%s/run/%s" % (self.directory, name), encoding="ascii") as f:
                return int(f.read())
        except (OSError, ValueError):
            return None

    def memory(self):
        """VmHWM of each stage, in kB; those that run."""
        found = {}
        for stage in STAGES:
            try:
                with open("/proc/%d/status" % self.pid(stage), encoding="ascii") as status:
                    fields = dict(line.split(":", 1) for line in status)
                # A process that has just been forked is a shell yet.
                if fields["Name"].strip() in ("pgcdc-read", "pgcdc-map", "esbulk-write"):
                    found[stage] = int(fields["VmHWM"].split()[0])
            except (OSError, TypeError, KeyError, ValueError):
                pass
        return found


# How often each comes in a deck of them.
DECK = (["kill read", "kill map", "kill write"] * 2 + ["stop read", "stop map", "stop write",
    "kill supervisor", "stop supervisor", "load", "end", "hup", "hup refused", "server", "server fast", "node", "cut server",
    "cut node", "freeze server", "freeze node", "stall server", "stall node", "refuse node",
    "slow server", "slow node", "checkpoint", "disk", "terminate"]
    + ["busy"] * 2 + ["unavailable", "items", "node cuts", "node slow"])


class Troubles:
    """Of one seed: each has an end, at a time."""

    def __init__(self, test):
        self.test = test
        self.random = test.random
        self.deck = []
        self.decks = 0
        self.ends = []  # (time, function)
        self.done = {}
        self.spool = test.spool

    def next(self):
        if not self.deck:
            # Three seeds in a row begin at different thirds of the same one.
            shuffle = random.Random("%d %d" % (self.decks, (self.test.seed - 1) // 3))
            deck = shuffle.sample(DECK, len(DECK))
            first = (self.test.seed - 1) % 3 * len(DECK) // 3
            self.deck = (deck[first:] + deck[:first])[::-1]
            self.decks += 1
        name = self.deck.pop()
        self.test.note(name)
        self.done[name] = self.done.get(name, 0) + 1
        word, _, of = name.partition(" ")
        getattr(self, word)(*([of] if of else []))

    def later(self, least, most, function):
        self.ends.append((time.monotonic() + self.random.uniform(least, most), function))

    def due(self, now):
        for end in [e for e in self.ends if e[0] <= now]:
            self.ends.remove(end)
            end[1]()

    def cease(self):
        """All of them; but what was frozen may stay so, and be noticed."""
        while self.ends:
            # The oldest: one that waits for another, such as a stopped process, comes again behind it.
            self.ends.pop(0)[1]()
            time.sleep(0.01)
        self.test.node.calm()
        for proxy in self.test.proxies.values():
            proxy.tell("go", "delay 0")
            if self.random.random() < 0.7:
                proxy.tell("cut")

    # Stages and supervisor ------------------------------------------------------------

    def send(self, pid, number):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, TypeError):
            pass

    def kill(self, of):
        if of == "supervisor":
            self.gone(signal.SIGKILL, 1)
        else:
            self.send(self.test.supervisor.pid(of), signal.SIGKILL)

    def stop(self, stage):
        pid = self.test.supervisor.pid(stage)
        self.send(pid, signal.SIGSTOP)
        self.later(0.05, 2, lambda: self.send(pid, signal.SIGCONT))

    def end(self):
        """And started again, perhaps before it has ended."""
        self.gone(signal.SIGTERM, 2)

    def gone(self, number, most):
        if not self.test.supervisor.ending:
            self.later(0, most, self.again)
        self.test.supervisor.ending = True
        self.test.supervisor.signal(number)

    def again(self):
        """As soon as it has ended."""
        if not self.test.again():
            self.later(0.05, 0.1, self.again)

    def hup(self, refused=""):
        self.test.map("nonsense: 1\n" if refused else "# again\n", refused=bool(refused))
        # Before it minds signals it would be ended by that.
        if self.test.supervisor.pid("supervisor") == self.test.supervisor.process.pid:
            self.test.supervisor.signal(signal.SIGHUP)
        if refused:
            self.later(1, 2, self.test.map)

    def load(self):
        """A table once more; it may be refused, as by a reader that connects."""
        self.test.reloaded = True
        with open(self.test.dir + "/load.log", "ab") as log:
            subprocess.Popen(["timeout", "20", "pgcdc", "snapshot", "-c", self.test.dir + "/pgcdc.conf",
                self.random.choice(["items", "parts", "whole", "events", "types.scalar", "books"])],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    # Servers --------------------------------------------------------------------------

    def server(self, how="immediate"):
        subprocess.run([BELOW + "/pg-server", "restart", os.environ["PG_DIR"], how], check=True,
            stdout=subprocess.DEVNULL)

    def checkpoint(self):
        liveload.psql("CHECKPOINT")

    def terminate(self):
        """As somebody does who looks for idle connections."""
        liveload.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'pgcdc%' ORDER BY random() LIMIT 1")

    def node(self, how=""):
        if how == "cuts":
            self.fault("kind=cut&when=%s" % self.random.choice(
                ["headers", "body", "before", "after", "answer"]))
        elif how == "slow":
            self.fault("kind=delay&ms=%d" % self.random.choice([20, 200, 1000]))
        else:
            self.test.node.down(self.random.choice([50, 400, 2000]))

    def fault(self, spec):
        self.test.node.fault("%s&p=%.2f" % (spec, self.random.uniform(0.3, 1)))
        self.later(0.2, 2, lambda: self.test.node.calm(spec.split("&")[0]))

    def busy(self):
        self.fault("kind=status&status=429&when=" + self.random.choice(["before", "half", "after"]))

    def unavailable(self):
        self.fault("kind=status&status=%d&when=%s" % (
            self.random.choice([502, 503, 504]), self.random.choice(["before", "half", "after"])))

    def items(self):
        self.fault("kind=item&status=%d" % self.random.choice([429, 503]))

    # Connections ----------------------------------------------------------------------

    def cut(self, of):
        self.test.proxies[of].tell("cut")

    def freeze(self, of):
        self.test.proxies[of].tell("freeze")
        if self.random.random() < 0.7:
            self.later(0.5, 3, lambda: self.test.proxies[of].tell("cut"))

    def stall(self, of):
        self.test.proxies[of].tell("stall", "cut")
        self.later(0.2, 3, lambda: self.test.proxies[of].tell("go", "cut"))

    def refuse(self, of):
        self.test.proxies[of].tell("refuse")
        self.later(0.2, 2, lambda: self.test.proxies[of].tell("go"))

    def slow(self, of):
        self.test.proxies[of].tell("delay %d" % self.random.choice([1, 5, 30]))
        self.later(0.5, 2, lambda: self.test.proxies[of].tell("delay 0"))

    # The disk of the spool ------------------------------------------------------------

    def disk(self):
        if self.spool:
            path = self.spool + "/filler"
            with open(path, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(65536))
                except OSError:
                    pass
            self.later(0.5, 3, lambda: os.path.exists(path) and os.unlink(path))
            return
        # Where no file system can be mounted, this reader's files must stay small.
        pid = self.test.supervisor.pid("read")
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
        except (ProcessLookupError, TypeError):
            return
        self.later(0.5, 3, lambda: self.unlimit(pid))

    def unlimit(self, pid):
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (ProcessLookupError, PermissionError):
            pass
