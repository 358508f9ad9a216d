# pgcdc: PostgreSQL changes to Elasticsearch and OpenSearch.
#
#   make            build the programs into build/bin
#   make check      install what is missing, build, run all tests (real servers)
#   make check-matrix   what talks to PostgreSQL, on 14 to 18, and to Elasticsearch 6 to 9
#                       and OpenSearch 1 to 3
#   make check-long     longer runs: more random workloads and types, longer outages
#                       and chaos, 200 seeds of torture
#   make lint       clang-tidy, cppcheck, scan-build, shellcheck, and mandoc -Tlint
#   make asan       the suite with AddressSanitizer and UBSan
#   make valgrind   the unit tests under memcheck
#   make coverage   which lines the unit tests and the suite run, by gcov
#   make fuzz       libFuzzer on what the programs read (FUZZ_SECONDS=30 each, or FUZZ_RUNS)
#   make demo       a real table and its documents, changed before your eyes
#   make bench      rows a second, CPU, memory and latency, beside pg_recvlogical and curl
#   make install    PREFIX (/usr/local) and DESTDIR as usual; make uninstall removes it
#   make deb        a Debian package, in build/deb; it needs debhelper

VERSION	= 0.1.0
PREFIX	= /usr/local
DESTDIR	=
MANDIR	= $(PREFIX)/share/man
DOCDIR	= $(PREFIX)/share/doc/pgcdc
BASHDIR	= $(PREFIX)/share/bash-completion/completions
UNITDIR	= $(PREFIX)/lib/systemd/system

CC	= cc
CFLAGS	= -O2 -g
# The programs are optimized as a whole, where the compiler can: some 10 % less CPU a row.  What
# the tests link of the same objects is not, for that would take longer than it saves.
LTO	:= $(shell f='-flto=auto -ffat-lto-objects'; \
	$(CC) -Werror $$f -x c -c -o /dev/null /dev/null 2>/dev/null && echo "$$f")
WARN	= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wconversion -Werror
B	= build
CPP	= -D_GNU_SOURCE -DPGCDC_VERSION='"$(VERSION)"' -Icommon
PQCPP	= -I$(shell pg_config --includedir 2>/dev/null || echo /usr/include/postgresql)
COMPILE	= $(CC) -std=c11 $(CPP) $(WARN) $(CFLAGS) $(LTO) -MMD -MP -c -o $@
LINK	= $(CC) $(CFLAGS) $(if $(filter $(B)/bin/%,$@),$(LTO),-fno-lto) $(LDFLAGS) -o $@

PROGRAMS = $(B)/bin/pgcdc-read $(B)/bin/pgcdc-map $(B)/bin/esbulk-write \
	$(B)/bin/pgcdc-cat $(B)/bin/pgcdc-log $(B)/bin/pgcdc
MAN1	= man/pgcdc.1 man/pgcdc-read.1 man/pgcdc-map.1 man/esbulk-write.1 man/pgcdc-cat.1 \
	man/pgcdc-log.1
MAN5	= man/pgcdc-frame.5 man/pgcdc-map.5
MAN7	= man/pgcdc.7
UNIT_FILE = examples/systemd/pgcdc@.service

objects	= $(patsubst %.c,$(B)/obj/%.o,$(sort $(wildcard $(1)/*.c)))
# What needs a library of its own goes only where it is used.
HTTP	= $(B)/obj/common/metrics_http.o
COMMON	= $(filter-out $(HTTP),$(call objects,common))
READ	= $(call objects,cmd/pgcdc-read) $(HTTP)
MAP	= $(call objects,cmd/pgcdc-map)
WRITE	= $(call objects,cmd/esbulk-write) $(HTTP)
CAT	= $(call objects,cmd/pgcdc-cat)
LOG	= $(call objects,cmd/pgcdc-log)
# One script of these, in this order.
PGCDC	= $(patsubst %,cmd/pgcdc/%.sh,start log config rundir ready signals mapping pipeline \
	options snapshot replay screen status run check setup drop main)
STANDIN	= $(call objects,tests/standin)
EXPR	= $(call objects,tests/expr)
BENCH	= $(addprefix $(B)/tests/,measure changes pace)
UNIT	= $(patsubst tests/unit/%.c,$(B)/tests/unit-%,$(sort $(wildcard tests/unit/*.c)))
FUZZ	= $(addprefix $(B)/tests/fuzz-,pgoutput frame ack map_json map_expr map_mapping map_frames \
	write_answer write_actions)
# What feeds them; libFuzzer has a main of its own.
REPLAY	= $(B)/obj/tests/fuzz/replay.o
FUZZ_SECONDS = 30
# So many inputs for each, if given, however long that takes.
FUZZ_RUNS =
SANITIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined

all: $(PROGRAMS)

$(B)/bin/pgcdc-read: $(READ) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(READ) $(COMMON) -lpq -lmicrohttpd -lmsgpackc -lbsd -lm
$(B)/bin/pgcdc-map: $(MAP) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(MAP) $(COMMON) -lyaml -lmsgpackc -lbsd -lmd -lm -ldl
$(B)/bin/esbulk-write: $(WRITE) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(WRITE) $(COMMON) -lcurl -lmicrohttpd -lssl -lcrypto -lz -lyajl -lmsgpackc -lbsd -lm
$(B)/bin/pgcdc-cat: $(CAT) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(CAT) $(COMMON) -lyajl -lmsgpackc -lbsd -lm
$(B)/bin/pgcdc-log: $(LOG) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(LOG) $(COMMON) -lmsgpackc -lbsd -lm
$(B)/bin/pgcdc: $(PGCDC) Makefile
	@mkdir -p $(@D)
	cat $(PGCDC) | sed 's/@VERSION@/$(VERSION)/' >$@.tmp
	chmod 755 $@.tmp
	mv $@.tmp $@

$(B)/tests/standin: $(STANDIN) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(STANDIN) $(COMMON) -lmicrohttpd -lz -lmsgpackc -lbsd -lm
# Without what the programs are compiled for, sanitizers above all.
$(B)/tests/preload.so: tests/faults/preload.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -g -fPIC -shared -o $@ $< -ldl
$(B)/tests/measure $(B)/tests/changes: $(B)/tests/%: $(B)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(LINK) $^
$(B)/tests/pace: $(B)/obj/tests/bench/pace.o
	@mkdir -p $(@D)
	$(LINK) $^ -lpq
$(B)/tests/expr: $(EXPR) $(MAP) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(EXPR) $(filter-out %/pgcdc-map/main.o,$(MAP)) $(COMMON) -lyaml -lmsgpackc -lbsd -lmd -lm -ldl
# A unit test is linked with common/, and by its name with a program's modules: map_*.c,
# read_*.c, write_*.c.
$(B)/tests/unit-map_%: $(B)/obj/tests/unit/map_%.o $(MAP) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(filter-out %/main.o,$^) -lyaml -lmsgpackc -lbsd -lmd -lm -ldl
$(B)/tests/unit-read_%: $(B)/obj/tests/unit/read_%.o $(READ) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(filter-out %/main.o,$^) -lpq -lmicrohttpd -lmsgpackc -lbsd -lm
$(B)/tests/unit-write_%: $(B)/obj/tests/unit/write_%.o $(WRITE) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $(filter-out %/main.o,$^) -lcurl -lmicrohttpd -lssl -lcrypto -lz -lyajl -lmsgpackc -lbsd -lm
$(B)/tests/unit-%: $(B)/obj/tests/unit/%.o $(COMMON)
	@mkdir -p $(@D)
	$(LINK) $^ -lyajl -lmsgpackc -lbsd -lm
# A fuzz target is linked with all of the reader, or by its name with the mapper's or the
# writer's modules, which then log to support.c.
FUZZ_SHARED = $(B)/obj/tests/fuzz/support.o $(REPLAY)
$(B)/tests/fuzz-map_%: $(B)/obj/tests/fuzz/map_%.o $(B)/obj/tests/fuzz/actions.o $(FUZZ_SHARED) \
	    $(MAP) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) -Wl,--wrap=log_event $(filter-out %/main.o,$^) -lyaml -lmsgpackc -lbsd -lmd -lm -ldl
$(B)/tests/fuzz-write_%: $(B)/obj/tests/fuzz/write_%.o $(FUZZ_SHARED) $(WRITE) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) -Wl,--wrap=log_event $(filter-out %/main.o,$^) -lcurl -lmicrohttpd -lssl -lcrypto -lz -lyajl -lmsgpackc -lbsd -lm
$(B)/tests/fuzz-%: $(B)/obj/tests/fuzz/%.o $(FUZZ_SHARED) $(READ) $(COMMON)
	@mkdir -p $(@D)
	$(LINK) -Wl,--wrap=log_event $(filter-out %/main.o,$^) -lpq -lmicrohttpd -lmsgpackc -lbsd -lm

$(B)/obj/cmd/pgcdc-read/%.o $(B)/obj/cmd/pgcdc-map/%.o: CPP += $(PQCPP)
$(B)/obj/tests/bench/pace.o: CPP += $(PQCPP)
$(B)/obj/tests/expr/%.o: CPP += -Icmd/pgcdc-map
$(B)/obj/tests/unit/map_%.o: CPP += -Icmd/pgcdc-map
$(B)/obj/tests/unit/read_%.o: CPP += -Icmd/pgcdc-read $(PQCPP)
$(B)/obj/tests/unit/write_%.o: CPP += -Icmd/esbulk-write
$(B)/obj/tests/fuzz/map_%.o $(B)/obj/tests/fuzz/actions.o: CPP += -Icmd/pgcdc-map
$(B)/obj/tests/fuzz/write_%.o: CPP += -Icmd/esbulk-write
$(B)/obj/tests/fuzz/pgoutput.o $(B)/obj/tests/fuzz/ack.o: CPP += -Icmd/pgcdc-read $(PQCPP)
$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) $<

# The tests' own programs.
tests: $(B)/tests/standin $(B)/tests/expr $(BENCH) $(B)/tests/preload.so $(UNIT) $(FUZZ)

# All that is compiled of C.
objects: $(READ) $(MAP) $(WRITE) $(CAT) $(LOG) $(COMMON) $(STANDIN) $(EXPR) \
	$(patsubst %.c,$(B)/obj/%.o,$(sort $(wildcard tests/unit/*.c tests/fuzz/*.c tests/bench/*.c)))

# What is missing on a fresh machine is installed first, so the build is a second
# make: this one has already looked for the compiler and the libraries.
check:
	sh tests/deps
	$(MAKE) -j"$$(nproc)" all tests
	sh tests/run

# What talks to servers, on every major version of them.
check-matrix:
	sh tests/deps
	$(MAKE) all tests
	sh tests/matrix
	sh tests/matrix-search

# The tests that have more to do than `make check` has time for.
check-long:
	sh tests/deps
	$(MAKE) all tests
	LONG=1 TEST_TIMEOUT=7200 sh tests/run tests/37-read-random.t tests/3d-read-memory.t \
	    tests/3g-snapshot-lost.t tests/3g-snapshot-published.t tests/3j-read-hostile.t \
	    tests/4a-write-chaos.t tests/4d-write-hostile.t tests/54-outage.t tests/57-types.t tests/58-json.t \
	    tests/59-parent-child.t tests/5b-snapshot-kill.t tests/5c-faults.t tests/63-take-over.t \
	    tests/63-night.t
	LONG=1 TEST_TIMEOUT=28800 sh tests/run tests/5d-torture.t

# What can be found without running anything.
lint:
	sh tests/deps lint
	$(MAKE) -j"$$(nproc)" $(B)/bin/pgcdc
	sh tests/lint

# The suite with sanitizers, and the unit tests, where leaks are looked for as well.
asan:
	sh tests/deps
	$(MAKE) B=build/asan CFLAGS='$(SANITIZE)' all tests
	sh tests/asan build/asan

asan-unit:
	$(MAKE) B=build/asan CFLAGS='$(SANITIZE)' units
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 prove --norc \
	    -j"$$(nproc)" -e 'timeout 300' $(UNIT:$(B)/%=build/asan/%)
units: $(UNIT)

# The unit tests but the sandbox's, in which memcheck cannot work: what is neither freed nor
# known any more when they end is a leak.
VALGRIND = valgrind -q --leak-check=full --show-leak-kinds=definite,indirect \
	--errors-for-leak-kinds=definite,indirect --error-exitcode=99
valgrind:
	sh tests/deps valgrind
	$(MAKE) tests
	prove --norc --timer -j"$$(nproc)" -e 'timeout 900 $(VALGRIND)' \
	    $(filter-out %/unit-sandbox,$(UNIT))

coverage:
	sh tests/deps coverage
	$(MAKE) B=build/gcov CFLAGS='-O0 -g --coverage -DPGCDC_COVERAGE' LTO= all tests
	sh tests/coverage build/gcov

fuzz:
	sh tests/deps fuzz
	$(MAKE) B=build/fuzz CC=clang REPLAY= LDFLAGS=-fsanitize=fuzzer \
	    CFLAGS='$(SANITIZE) -fsanitize=fuzzer-no-link' fuzzers
	sh tests/fuzz/run build/fuzz $(FUZZ_SECONDS) $(FUZZ_RUNS)
fuzzers: $(FUZZ)

demo:
	sh tests/deps
	$(MAKE) -s all
	sh tests/demo

# Figures beside pg_recvlogical's, from one run, and plots; BENCH_PARTS, BENCH_ROWS and
# BENCH_TURNS as in tests/bench/README.md.
bench:
	sh tests/deps bench
	$(MAKE) -s all tests
	sh tests/bench/run

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 \
	    $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(DOCDIR) $(DESTDIR)$(BASHDIR) $(DESTDIR)$(UNITDIR)
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5
	install -m 644 $(MAN7) $(DESTDIR)$(MANDIR)/man7
	install -m 644 completion/pgcdc.bash $(DESTDIR)$(BASHDIR)/pgcdc
	for program in $(filter-out pgcdc,$(notdir $(PROGRAMS))); do \
	    ln -sf pgcdc $(DESTDIR)$(BASHDIR)/$$program; done
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' $(UNIT_FILE) >$(DESTDIR)$(UNITDIR)/$(notdir $(UNIT_FILE))
	chmod 644 $(DESTDIR)$(UNITDIR)/$(notdir $(UNIT_FILE))
	rm -rf $(DESTDIR)$(DOCDIR)/examples
	cp -R README.md LICENSE examples $(DESTDIR)$(DOCDIR)

# What install made, and the folders that are the project's own.
uninstall:
	cd $(DESTDIR)$(PREFIX)/bin && rm -f $(notdir $(PROGRAMS))
	cd $(DESTDIR)$(MANDIR) && rm -f $(MAN1:man/%=man1/%) $(MAN5:man/%=man5/%) $(MAN7:man/%=man7/%)
	cd $(DESTDIR)$(BASHDIR) && rm -f $(notdir $(PROGRAMS))
	rm -f $(DESTDIR)$(UNITDIR)/$(notdir $(UNIT_FILE))
	rm -rf $(DESTDIR)$(DOCDIR)

# In a copy, for a package is built with options of its own.
deb:
	rm -rf $(B)/deb
	mkdir -p $(B)/deb/pgcdc-$(VERSION)
	cp -R LICENSE Makefile README.md cmd common completion debian examples man \
	    $(B)/deb/pgcdc-$(VERSION)
	cd $(B)/deb/pgcdc-$(VERSION) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc -b
	rm -rf $(B)/deb/pgcdc-$(VERSION)

clean:
	rm -rf $(B)

.PHONY: all tests objects lint check check-matrix check-long asan asan-unit units valgrind coverage fuzz fuzzers demo bench install \
	uninstall deb clean
.SECONDARY:

-include $(wildcard $(B)/obj/*/*.d $(B)/obj/*/*/*.d)
