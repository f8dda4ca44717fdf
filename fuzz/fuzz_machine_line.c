/* SPDX-License-Identifier: MIT */
/* A machine line: what parses must be valid, print, and parse back to the same machine and line;
 * what does not must say why. */
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void check_orders(const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->nr_nodes && i < 8; i++) {
		uint32_t *order = NULL, nr = 0;
		demand(machine_fallback_order(machine, i, &order, &nr) == 0 && nr > 0);
		free(order);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PRINTBUF(err);
	PRINTBUF(line);
	PRINTBUF(again);
	PRINTBUF(text);
	struct machine *machine = NULL, *second = NULL;
	char *copy = strndup((const char *)data, size);
	int error = machine_parse(copy, &machine, &err);
	free(copy);
	demand(!error == !err.pos && !error == (machine != NULL));
	if (error)
		return 0;
	demand(machine_is_valid(machine));
	machine_to_line(&line, machine);
	demand(machine_parse(printbuf_str(&line), &second, &err) == 0);
	demand(machine_is_equal(machine, second) && machine->nr_tiers == second->nr_tiers);
	machine_to_line(&again, second);
	demand(strcmp(printbuf_str(&line), printbuf_str(&again)) == 0);
	machine_to_text(&text, machine);
	check_orders(machine);
	machine_free(machine);
	machine_free(second);
	return 0;
}
