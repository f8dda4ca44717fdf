# SPDX-License-Identifier: MIT
# The thin front of Meson and Ninja. `make demo` and `make check` work from an empty clone.
BUILD ?= build
PREFIX ?= /usr/local
MESON_FLAGS ?=

# A file that came or went, or a changed meson.build, must be seen: compared with last time's.
LIST = { find src recorder tests bench fuzz -name '*.c' | LC_ALL=C sort; \
  find . -path './build*' -prune -o -name 'meson*' -type f -print | LC_ALL=C sort | xargs cksum; }

all: setup configure
	@ninja -C $(BUILD) --quiet

setup:
	@scripts/setup

configure:
	@mkdir -p $(BUILD); $(LIST) >$(BUILD)/sources.new
	@if [ ! -f $(BUILD)/build.ninja ]; then \
	  meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_FLAGS) >$(BUILD)/setup.log || \
	    { cat $(BUILD)/setup.log; exit 1; }; \
	elif ! cmp -s $(BUILD)/sources.new $(BUILD)/sources; then \
	  meson setup --reconfigure $(BUILD) >$(BUILD)/setup.log || \
	    { cat $(BUILD)/setup.log; exit 1; }; \
	fi; mv $(BUILD)/sources.new $(BUILD)/sources

demo: all
	@scripts/demo $(BUILD)

check: all
	@scripts/check $(BUILD)

check-long: all
	@scripts/check --long $(BUILD)

bench: all
	@scripts/bench $(BUILD)

lint: setup configure
	@scripts/lint $(BUILD)

fuzz: setup
	@scripts/fuzz

install: all
	@meson install -C $(BUILD) --no-rebuild

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build build-*

.PHONY: all setup configure demo check check-long bench lint fuzz install format clean
