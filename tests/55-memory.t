#!/bin/sh
# A transaction of 1,000,000 rows goes through the whole pipeline in bounded memory.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"
# shellcheck source=memory.sh
. "$TOP/tests/memory.sh"

narrow_table
standin_start --store versions
pipeline_conf PGCDC_ES_URL="$STANDIN_URL"
pipeline_start
large_transaction
memory_bounded
pipeline_stop 'it ends in order'
done_testing
