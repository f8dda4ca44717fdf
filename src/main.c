/* SPDX-License-Identifier: MIT */
#include "cli/main.h"

int main(int argc, char **argv)
{
	return berth_main(argc, argv);
}
