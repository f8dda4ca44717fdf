/* SPDX-License-Identifier: MIT */
/* The importers. A new one is one file import_NAME.c and its two lines here. */
#include "trace/import.h"

const struct trace_import *const trace_imports[] = {
	NULL,
};
