#include "options.h"
#include "reader.h"

int
main(int argc, char **argv)
{
	static struct options o;

	options_parse(argc, argv, &o);
	return reader_run(&o);
}
