# SPDX-License-Identifier: MIT
# The thin front of Meson and Ninja. `make demo` and `make check` work from an empty clone.
BUILD ?= build
PREFIX ?= /usr/local
MESON_FLAGS ?=
BUILD_PATH = $(abspath $(BUILD))

# A file that came or went must be seen: the list of sources is compared with that of last time.
LIST = find src recorder lab tests bench fuzz -name '*.c' | LC_ALL=C sort

all: setup configure
	@ninja -C $(BUILD) --quiet

setup:
	@scripts/setup

configure:
	@mkdir -p $(BUILD); $(LIST) >$(BUILD)/sources.new
	@{ if [ ! -f $(BUILD)/build.ninja ]; then \
	    meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_FLAGS); \
	  elif ! cmp -s $(BUILD)/sources.new $(BUILD)/sources; then \
	    meson setup --reconfigure $(BUILD); \
	  fi && ninja -C $(BUILD) build.ninja; } >$(BUILD)/setup.log || \
	  { cat $(BUILD)/setup.log; exit 1; }
	@mv $(BUILD)/sources.new $(BUILD)/sources

demo: all
	@scripts/demo $(BUILD)

check: all
	@scripts/check $(BUILD)

check-long: all
	@scripts/check --long $(BUILD)

check-lab: all
	@scripts/check --lab $(BUILD)

bench: all
	@scripts/bench $(BUILD)

bench-lab: all
	@scripts/bench-lab $(BUILD)

# Two jobs on two CPUs of a guest under none, hard and soft: docs/bench-affinity.md.
# ROUNDS=n (12), BUDGET=seconds in each kernel's guest: as many whole rounds as that allows.
bench-affinity: all
	@scripts/setup --lab
	@bench/affinity $(BUILD) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(BUDGET),--budget $(BUDGET))

# Live tiering against the kernel's, DAMON's and the best static placement: docs/bench-tiering.md.
# ROUNDS=n KERNELS=6.12,7.3 ROWS=hotset,move,... BUDGET=seconds; goes on where a killed one stopped.
bench-tiering: all
	@scripts/setup --lab
	@bench/tiering $(BUILD) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(KERNELS),--kernels $(KERNELS)) \
	  $(if $(ROWS),--rows $(ROWS)) $(if $(BUDGET),--budget $(BUDGET))

# What samplers and movers cost: the tables of docs/live.md.
bench-samplers: all
	@DOCS=docs/live.md bench/samplers $(BUILD)

fidelity: all
	@scripts/fidelity $(BUILD)

lint: setup configure
	@scripts/lint $(BUILD)

fuzz: setup
	@scripts/fuzz

# What of the corpus is missing is recorded, then every policy is compared on it (corpus/README.md).
corpus: all
	@scripts/setup --corpus
	@BUILD=$(BUILD_PATH) scripts/corpus

policies: all
	@BUILD=$(BUILD_PATH) scripts/policies

install: all
	@meson install -C $(BUILD) --no-rebuild

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build build-*

.PHONY: all setup configure demo check check-long check-lab bench bench-lab bench-affinity bench-tiering bench-samplers fidelity lint fuzz corpus policies install format clean
