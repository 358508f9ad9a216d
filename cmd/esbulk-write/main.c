#include "check.h"
#include "exitcode.h"
#include "fdio.h"
#include "options.h"
#include "sandbox.h"
#include "setup.h"
#include "writer.h"

int
main(int argc, char **argv)
{
	static struct options o;

	if (fd_open_standard() != 0)
		return EXIT_TEMPORARY;
	options_parse(argc, argv, &o);
	sandbox_enter(SANDBOX_CLIENT);
	switch (o.errand) {
	case ERRAND_CHECK: return check_run(&o);
	case ERRAND_SETUP: return setup_run(&o);
	case ERRAND_DROP: return drop_run(&o);
	case ERRAND_NONE: break;
	}
	return writer_run(&o);
}
