/* SPDX-License-Identifier: MIT */
/* What tests look at in memtis beyond the contract. */
#ifndef BERTH_POLICY_MEMORY_MEMTIS_H
#define BERTH_POLICY_MEMORY_MEMTIS_H

#include "base/types.h"

struct memtis;
bool memtis_is_valid(const struct memtis *memtis); /* counts everything anew */
unsigned memtis_hot_bin(const struct memtis *memtis);
unsigned memtis_warm_bin(const struct memtis *memtis);

#endif
