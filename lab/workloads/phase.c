/* SPDX-License-Identifier: MIT */
/*
 * `phase N`: a script in the lab says that phase N begins (0: outside of all), as a program does by
 * lab_phase(). Misses are then counted under that number.
 *
 *     berth lab run -M MACHINE -- sh -c 'build; phase 1; serve'
 */
#include <stdio.h>
#include <stdlib.h>

#include "lab/counters.h"
#include "lab/marker.h"

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long phase = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
	if (!end || end == argv[1] || *end || argv[1][0] == '-' || phase >= LAB_MAX_PHASES) {
		fprintf(stderr, "phase: say a number from 0 to %d: phase 1\n", LAB_MAX_PHASES - 1);
		return 2;
	}
	lab_phase((unsigned)phase);
	return 0;
}
