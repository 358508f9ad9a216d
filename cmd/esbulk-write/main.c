#include "exitcode.h"
#include "fdio.h"
#include "options.h"
#include "sandbox.h"
#include "writer.h"

int
main(int argc, char **argv)
{
	static struct options o;

	if (fd_open_standard() != 0)
		return EXIT_TEMPORARY;
	options_parse(argc, argv, &o);
	sandbox_enter(SANDBOX_CLIENT);
	return writer_run(&o);
}
