#include <malloc.h>

#include "check.h"
#include "exitcode.h"
#include "fdio.h"
#include "options.h"
#include "reader.h"
#include "request.h"
#include "sandbox.h"

int
main(int argc, char **argv)
{
	static struct options o;

	if (fd_open_standard() != 0)
		return EXIT_TEMPORARY;
	/* What a large row needed goes back to the system behind it, whatever came before. */
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	options_parse(argc, argv, &o);
	sandbox_enter(SANDBOX_CLIENT);
	if (o.request != NULL)
		return request_send(o.control_path, o.request);
	switch (o.errand) {
	case ERRAND_CHECK: return check_run(&o);
	case ERRAND_SETUP: return check_setup(&o);
	case ERRAND_DROP: return check_drop(&o);
	case ERRAND_NONE: break;
	}
	return reader_run(&o);
}
