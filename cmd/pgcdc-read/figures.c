#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "observe.h"

/* /metrics: what is counted where the work is done, as Prometheus reads it. */

#define TABLES 1000 /* of a snapshot, that have samples of their own */

static void
put_connection(struct metrics *m, const struct reader *r, const struct view *v)
{
	metrics_head(m, "pgcdc_read", "reader", observe_states, v->state);
	metrics_gauge(m, "pgcdc_read_connected", "1 while changes stream from the slot.",
	    v->connected);
	metrics_gauge(m, "pgcdc_read_standby",
	    "1 while another reader has the slot, which is waited for.", v->standby);
	metrics_counter(m, "pgcdc_read_reconnects_total", "Connections that were made again.",
	    r->reconnects);
	metrics_counter(m, "pgcdc_read_connect_failures_total",
	    "Attempts to connect again that failed, each followed by a wait.", r->failures);
}

static void
put_positions(struct metrics *m, const struct reader *r, const struct view *v)
{
	if (!v->begun)
		return;
	metrics_gauge(m, "pgcdc_read_received_lsn",
	    "The highest LSN that the server told of, as a number.", v->received);
	metrics_gauge(m, "pgcdc_read_emitted_lsn",
	    "The end of the last transaction that was written.", v->emitted);
	if (v->stores)
		metrics_gauge(m, "pgcdc_read_stored_lsn",
		    "Everything before it is stored, or need not be.", v->stored);
	metrics_gauge(m, "pgcdc_read_confirmed_lsn", "What was confirmed to the server last.",
	    v->confirmed);
	metrics_gauge(m, "pgcdc_read_server_lsn",
	    "The end of the server's log, as far as it is known.", v->server);
	if (v->standby)
		return;
	metrics_gauge(m, "pgcdc_read_lag_bytes",
	    "How far what is stored is behind the server's log.", v->lag_bytes);
	metrics_family(m, METRICS_GAUGE, "pgcdc_read_lag_seconds",
	    "Age of the oldest row that was written and is not stored, by its commit.");
	metrics_real(m, NULL, v->lag_seconds);
	if (!v->connected || !r->watched.known)
		return;
	metrics_gauge(m, "pgcdc_read_slot_retained_bytes",
	    "Log that the server keeps for the slot.", r->watched.retained);
	if (r->watched.limited)
		metrics_gauge(m, "pgcdc_read_slot_safe_bytes",
		    "Log that may still be written before the slot may be lost.", r->watched.safe);
}

static void
put_rows(struct metrics *m, const struct counts *cs)
{
	static const char *const operations[] = { [COUNT_INSERT] = "insert",
		[COUNT_UPDATE] = "update", [COUNT_DELETE] = "delete",
		[COUNT_TRUNCATE] = "truncate", [COUNT_SNAPSHOT] = "snapshot" };

	metrics_family(m, METRICS_COUNTER, "pgcdc_read_rows_total",
	    "Rows that were written, and truncates.");
	for (size_t i = 0; i < cs->n; i++)
		for (size_t of = 0; of < COUNT_OF; of++)
			metrics_uint(m,
			    METRICS_LABELS({ "operation", operations[of] },
			        { "schema", cs->list[i]->schema }, { "table", cs->list[i]->table }),
			    cs->list[i]->rows[of]);
}

static uint64_t
on_disk(const struct spools *ss)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ss->count; i++)
		bytes += ss->list[i]->file_len;
	return bytes;
}

static void
put_stream(struct metrics *m, const struct reader *r)
{
	const struct pgoutput *p = &r->pgo;
	const struct spools *both[] = { &p->spools, &r->snapshot.spools };
	static const char *const of[] = { "transactions", "snapshot" };

	metrics_family(m, METRICS_COUNTER, "pgcdc_read_units_total", "Units that were written.");
	metrics_uint(m, METRICS_LABELS({ "kind", "transaction" }), p->seq - p->chunks);
	metrics_uint(m, METRICS_LABELS({ "kind", "snapshot" }), p->chunks);
	metrics_gauge(m, "pgcdc_read_units_open", "Units that were written and are not stored.",
	    r->units.emitted - r->units.stored);
	put_rows(m, &p->relations.counts);
	metrics_counter(m, "pgcdc_read_streamed_transactions_total",
	    "Transactions that the server sent before they were committed.", p->streamed);
	metrics_gauge(m, "pgcdc_read_spooled_transactions",
	    "Transactions whose end is not known, or that are being written.", p->spools.count);
	metrics_family(m, METRICS_GAUGE, "pgcdc_read_spool_bytes",
	    "What is kept of transactions in progress, and of tables that are loaded.");
	for (size_t i = 0; i < 2; i++) {
		metrics_uint(m, METRICS_LABELS({ "of", of[i] }, { "place", "memory" }),
		    both[i]->memory);
		metrics_uint(m, METRICS_LABELS({ "of", of[i] }, { "place", "disk" }),
		    on_disk(both[i]));
	}
	metrics_gauge(m, "pgcdc_read_output_buffer_bytes",
	    "Frames that wait for the next stage to read.", fdout_pending(&r->out));
}

/*
 * Snapshots
 */

/* A name as SQL has it: schema.table, each maybe in quotes.  Taken apart in place. */
static void
unquote(char *name, char **schema, char **table)
{
	char *to = name;
	bool quoted = false;

	*schema = *table = name;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '"' && quoted && p[1] == '"') {
			*to++ = *p++;
		} else if (*p == '"') {
			quoted = !quoted;
		} else if (*p == '.' && !quoted) {
			*to++ = '\0';
			*table = to;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

static uint64_t
blocks(const struct snapshot *s, const struct table *t)
{
	(void)s;
	return t->measured ? t->blocks : 0;
}

static uint64_t
blocks_done(const struct snapshot *s, const struct table *t)
{
	return t->measured ? emit_done(s, t) : 0;
}

static uint64_t
rows(const struct snapshot *s, const struct table *t)
{
	(void)s;
	return t->rows;
}

static uint64_t
bytes(const struct snapshot *s, const struct table *t)
{
	(void)s;
	return t->bytes;
}

/* One figure of each table.  A name may stand for two of them, of which one is gone. */
static void
put_tables(struct metrics *m, const struct snapshot *s,
    uint64_t (*figure)(const struct snapshot *, const struct table *))
{
	uint64_t others = 0;

	for (size_t i = 0; i < s->tables; i++) {
		const struct table *t = s->table[i];
		char oid[16], *name, *schema, *table;

		if (i >= TABLES || t->name == NULL) {
			others += figure(s, t);
			continue;
		}
		snprintf(oid, sizeof(oid), "%u", t->heap);
		name = xstrdup(t->name);
		unquote(name, &schema, &table);
		metrics_uint(m,
		    METRICS_LABELS({ "schema", schema }, { "table", table }, { "oid", oid }),
		    figure(s, t));
		free(name);
	}
	if (s->tables > TABLES)
		metrics_uint(m,
		    METRICS_LABELS({ "schema", "" }, { "table", "other" }, { "oid", "" }), others);
}

static void
put_snapshot(struct metrics *m, const struct snapshot *s)
{
	static const char *const words[] = { "waiting", "loading", "storing", "loaded", "failed" };
	static const size_t word_of[] = { [TABLE_BARRED] = 0, [TABLE_UNKNOWN] = 0,
		[TABLE_READING] = 1, [TABLE_READ] = 2, [TABLE_LOADED] = 3, [TABLE_FAILED] = 4 };
	uint64_t n[5] = { 0 };

	for (size_t i = 0; i < s->tables; i++)
		n[word_of[s->table[i]->state]]++;
	metrics_family(m, METRICS_GAUGE, "pgcdc_read_snapshot_tables",
	    "Tables and partitions that are or were loaded since the start.");
	for (size_t i = 0; i < 5; i++)
		metrics_uint(m, METRICS_LABELS({ "state", words[i] }), n[i]);
	metrics_gauge(m, "pgcdc_read_snapshot_paused",
	    "1 while loading rests, for the slot is too far behind.", s->active && s->lagging);
	metrics_counter(m, "pgcdc_read_snapshot_chunks_repeated_total",
	    "Chunks that had to be read again.", s->repeated);
	metrics_family(m, METRICS_GAUGE, "pgcdc_read_snapshot_blocks", "Blocks of a table.");
	put_tables(m, s, blocks);
	metrics_family(m, METRICS_GAUGE, "pgcdc_read_snapshot_blocks_done",
	    "Blocks of a table that are stored.");
	put_tables(m, s, blocks_done);
	metrics_family(m, METRICS_COUNTER, "pgcdc_read_snapshot_rows_total",
	    "Rows of a table that were written, since it began to be loaded.");
	put_tables(m, s, rows);
	metrics_family(m, METRICS_COUNTER, "pgcdc_read_snapshot_bytes_total",
	    "Bytes of these rows, as the server sent them.");
	put_tables(m, s, bytes);
}

unsigned
observe_metrics(void *reader, struct buf *out)
{
	const struct reader *r = reader;
	struct metrics m = { .out = out };
	struct view v;

	observe_view(r, &v);
	put_connection(&m, r, &v);
	put_positions(&m, r, &v);
	put_stream(&m, r);
	put_snapshot(&m, &r->snapshot);
	metrics_process(&m);
	return 200;
}
