#include "request.h"

const char *
request_argument(const struct request *r, const char *name)
{
	const char *value;

	/* With a key but no value the daemon says NULL; so ask whether the key is there. */
	if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name,
		strlen(name), &value, NULL) != MHD_YES)
		return NULL;
	return value != NULL ? value : "";
}

bool
request_flag(const struct request *r, const char *name)
{
	const char *value = request_argument(r, name);

	return value != NULL && (*value == '\0' || strcmp(value, "true") == 0);
}

bool
request_is(const struct request *r, const char *method)
{
	return strcmp(r->method, method) == 0;
}

bool
request_path(const struct request *r, unsigned n, unsigned at, const char *segment)
{
	return r->n_segments == n && strcmp(r->segments[at], segment) == 0;
}

void
request_answer(struct request *r, int status)
{
	r->status = status;
	r->text = (struct slice) { r->out.data, r->out.len };
}

void
request_fail(struct request *r)
{
	r->out.len = 0;
	failure_body(&r->out, &r->failure);
	request_answer(r, r->failure.status);
}
