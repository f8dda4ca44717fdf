/* SPDX-License-Identifier: MIT */
#include "cli/main.h"
#include "cli/version.h"
#include "describe.h"

int main(int argc, char **argv)
{
	berth_describe = BERTH_DESCRIBE;
	return berth_main(argc, argv);
}
