/* SPDX-License-Identifier: MIT */
/* The importers. A new one is one file import_NAME.c, its line in import.h and its line here. */
#include "trace/import.h"

const struct trace_import *const trace_imports[] = {
	&trace_import_lackey,
	&trace_import_hexlist,
	&trace_import_damo_json,
	&trace_import_damo_perf,
	NULL,
};
