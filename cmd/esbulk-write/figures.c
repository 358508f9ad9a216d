#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "observe.h"

/* /metrics: what is counted where the work is done, as Prometheus reads it. */

static const char *const operations[TALLY_OPERATIONS] = { [TALLY_INDEX] = "index",
	[TALLY_CREATE] = "create", [TALLY_UPDATE] = "update", [TALLY_DELETE] = "delete",
	[TALLY_TRUNCATE] = "truncate" };

static void
put_cluster(struct metrics *m, const struct tally *t, const struct view *v)
{
	metrics_head(m, "pgcdc_write", "writer", observe_states, v->state);
	if (t->asked)
		metrics_gauge(m, "pgcdc_write_connected",
		    "1 when the cluster answered the last request.", t->connected);
	if (t->distribution[0] != '\0') {
		metrics_family(m, METRICS_GAUGE, "pgcdc_write_cluster_info",
		    "What the cluster says that it is.");
		metrics_uint(m,
		    METRICS_LABELS({ "distribution", t->distribution }, { "version", t->version }),
		    1);
	}
	metrics_family(m, METRICS_GAUGE, "pgcdc_write_nodes", "Nodes of the cluster.");
	metrics_uint(m, METRICS_LABELS({ "state", "ready" }), v->nodes - v->resting);
	metrics_uint(m, METRICS_LABELS({ "state", "resting" }), v->resting);
}

static void
put_actions(struct metrics *m, const struct tally *t)
{
	static const char *const reasons[TALLY_IGNORED] = { [TALLY_CONFLICT] = "conflict",
		[TALLY_MISSING] = "missing", [TALLY_COALESCED] = "coalesced" };

	metrics_family(m, METRICS_COUNTER, "pgcdc_write_actions_total", "Actions that are stored.");
	for (size_t i = 0; i < t->n; i++)
		/* Without an index there are rejects alone. */
		for (size_t of = 0; of < TALLY_OPERATIONS && t->list[i]->len > 0; of++)
			metrics_uint(m,
			    METRICS_LABELS({ "operation", operations[of] },
			        { "index", t->list[i]->name }),
			    t->list[i]->stored[of]);
	metrics_family(m, METRICS_COUNTER, "pgcdc_write_ignored_total",
	    "Stored actions that changed nothing, or were left out for a later one.");
	for (size_t i = 0; i < TALLY_IGNORED; i++)
		metrics_uint(m, METRICS_LABELS({ "reason", reasons[i] }), t->ignored[i]);
	metrics_family(m, METRICS_COUNTER, "pgcdc_write_rejected_total",
	    "Actions that were rejected, by whomever.");
	for (size_t i = 0; i < t->n; i++)
		metrics_uint(m, METRICS_LABELS({ "index", t->list[i]->name }),
		    t->list[i]->rejected);
}

static void
put_trouble(struct metrics *m, const struct delivery *d, const struct view *v)
{
	const struct tally *t = &d->tally;

	metrics_counter(m, "pgcdc_write_merge_missing_total",
	    "Merges of which some members were nowhere.", d->merge_missing);
	if (v->dead_bytes >= 0) {
		metrics_counter(m, "pgcdc_write_dead_letters_total",
		    "Actions that were added to the dead letters.", d->dead_letters);
		metrics_gauge(m, "pgcdc_write_dead_letter_bytes",
		    "Size of the file of dead letters.", (uint64_t)v->dead_bytes);
	}
	metrics_family(m, METRICS_COUNTER, "pgcdc_write_retries_total",
	    "Requests that were or will be sent again.");
	for (size_t i = CAUSE_CONNECT; i < CAUSE_NAMED; i++)
		metrics_uint(m, METRICS_LABELS({ "cause", tally_causes[i] }), t->cause[i]);
	for (size_t i = 0; i < TALLY_STATUSES; i++) {
		char status[8];

		snprintf(status, sizeof(status), "%u", tally_statuses[i]);
		metrics_uint(m, METRICS_LABELS({ "cause", status }), t->status[i]);
	}
	metrics_family(m, METRICS_COUNTER, "pgcdc_write_retried_actions_total",
	    "Actions that were or will be sent again, for their own answers say so.");
	for (size_t i = 0; i <= TALLY_STATUSES; i++) {
		char status[8] = "other";

		if (i < TALLY_STATUSES)
			snprintf(status, sizeof(status), "%u", tally_statuses[i]);
		metrics_uint(m, METRICS_LABELS({ "status", status }), t->answered[i]);
	}
}

static void
put_requests(struct metrics *m, const struct delivery *d)
{
	static const char *const requests[TALLY_REQUESTS] = { [TALLY_BULK] = "bulk",
		[TALLY_READ] = "read", [TALLY_STEP] = "truncate" };
	const struct tally *t = &d->tally;

	metrics_counter(m, "pgcdc_write_batches_total", "Bulk requests.", t->batches);
	metrics_counter(m, "pgcdc_write_batch_bytes_total", "Bytes of actions in them.",
	    t->batch_bytes);
	metrics_family(m, METRICS_HISTOGRAM, "pgcdc_write_request_seconds",
	    "How long requests took.");
	for (size_t i = 0; i < TALLY_REQUESTS; i++)
		metrics_histogram(m, METRICS_LABELS({ "request", requests[i] }), &t->took[i]);
	metrics_gauge(m, "pgcdc_write_queue_bytes", "Memory of what was read and is not stored.",
	    d->queue.used);
	metrics_gauge(m, "pgcdc_write_queue_limit_bytes", "How much it may be.", d->queue.limit);
	metrics_gauge(m, "pgcdc_write_queue_actions", "Actions that were read and are not stored.",
	    d->waiting);
	metrics_gauge(m, "pgcdc_write_in_flight_requests", "Requests that wait for an answer.",
	    d->busy);
	metrics_gauge(m, "pgcdc_write_lanes", "How many there may be now.", d->pace.lanes);
	metrics_gauge(m, "pgcdc_write_batch_limit_bytes", "How large a bulk request may be now.",
	    d->pace.bytes);
}

static void
put_positions(struct metrics *m, const struct writer *w, const struct view *v)
{
	metrics_family(m, METRICS_GAUGE, "pgcdc_write_oldest_unstored_seconds",
	    "Age of the oldest row that was read and is not stored.");
	metrics_real(m, NULL, v->oldest_seconds);
	metrics_gauge(m, "pgcdc_write_units_open", "Units that were read and are not stored.",
	    v->units_open);
	if (w->received_lsn != 0)
		metrics_gauge(m, "pgcdc_write_received_lsn",
		    "The unit that was read last, as a number.", w->received_lsn);
	if (v->stored != 0)
		metrics_gauge(m, "pgcdc_write_stored_lsn", "All units up to there are stored.",
		    v->stored);
	if (v->acked != 0)
		metrics_gauge(m, "pgcdc_write_acked_lsn", "What the reader was told of that.",
		    v->acked);
}

/*
 * The mapper's
 */

/* A counter of its s frames, and the sample that it becomes. */
static const struct known {
	const char *counter, *value;
} rows[] = { { "inserts", "insert" }, { "updates", "update" }, { "deletes", "delete" },
	{ "snapshot_rows", "snapshot" }, { NULL, NULL } },
  actions[] = { { "index_actions", "index" }, { "create_actions", "create" },
	  { "update_actions", "update" }, { "delete_actions", "delete" },
	  { "truncate_actions", "truncate" }, { NULL, NULL } },
  skipped[] = { { "unmapped_rows", "unmapped" }, { "ignored_rows", "ignored" },
	  { "filtered_rows", "filtered" }, { "unchanged_rows", "unchanged" },
	  { "skipped_rows", "skipped" }, { "ignored_truncates", "truncate" }, { NULL, NULL } },
  errors[] = { { "rejects", "" }, { NULL, NULL } };

static const char *
value_of(const struct known *known, const char *counter)
{
	for (; known->counter != NULL; known++)
		if (strcmp(known->counter, counter) == 0)
			return known->value;
	return NULL;
}

static bool
is_other(const char *counter)
{
	return value_of(rows, counter) == NULL && value_of(actions, counter) == NULL &&
	    value_of(skipped, counter) == NULL && value_of(errors, counter) == NULL;
}

/* known is NULL: of all that are none of the known ones. */
static void
put_map(struct metrics *m, const struct mapstats *s, const struct known *known, const char *label,
    const char *name, const char *help)
{
	metrics_family(m, METRICS_COUNTER, name, help);
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->program[i]->n; k++) {
			const struct mapstats_counter *c = &s->program[i]->counter[k];
			const char *value = known != NULL ? value_of(known, c->name)
			    : is_other(c->name)           ? c->name
			                                  : NULL;

			if (value == NULL)
				continue;
			metrics_uint(m,
			    METRICS_LABELS({ "program", s->program[i]->name }, { label, value }),
			    c->value);
		}
}

static void
put_mapper(struct metrics *m, const struct mapstats *s)
{
	if (s->n == 0)
		return;
	put_map(m, s, rows, "operation", "pgcdc_write_map_rows_total",
	    "Rows that came to a mapper.");
	put_map(m, s, actions, "operation", "pgcdc_write_map_actions_total",
	    "Actions that it made of them.");
	put_map(m, s, skipped, "reason", "pgcdc_write_map_skipped_total",
	    "Rows and truncates that it made none of.");
	put_map(m, s, errors, NULL, "pgcdc_write_map_errors_total", "Rows that it rejected.");
	put_map(m, s, NULL, "counter", "pgcdc_write_map_other_total", "What else it counts.");
}

unsigned
observe_metrics(void *writer, struct buf *out)
{
	const struct writer *w = writer;
	struct metrics m = { .out = out };
	struct view v;

	observe_view(w, &v);
	put_cluster(&m, &w->delivery.tally, &v);
	put_actions(&m, &w->delivery.tally);
	put_trouble(&m, &w->delivery, &v);
	put_requests(&m, &w->delivery);
	put_positions(&m, w, &v);
	put_mapper(&m, &w->mapstats);
	metrics_process(&m);
	return 200;
}
