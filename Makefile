# make demo      build, then the main job on the shipped weights and images
# make test      every test, on a real GPU if there is one, else on a software driver
# make bench     criterion benches (slow; the machine should be quiet)
# make peers     Frostline beside burn, Keras and onnxruntime, into benches/RESULTS.md (an hour; quiet)
# make doctor    the adapters of this machine, and which one Frostline takes
# make lint      formatting, clippy and documentation, warnings denied
# make clean     throws away what was built
#
# `demo`, `test`, `bench` and `doctor` install Mesa's software Vulkan driver where the machine has no adapter at all.

CARGO ?= $(shell command -v cargo || echo "$$HOME/.cargo/bin/cargo")
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Mesa's device-select layer asks for a desktop session and complains on machines without one.
export NODEVICE_SELECT := 1

.PHONY: demo test bench peers doctor lint clean toolchain release debug

demo: release
	@$(TARGET)/release/frostline demo

test: debug
	@$(CARGO) test

bench: release
	@$(CARGO) bench

peers: release
	@python3 benches/peers/run.py

doctor: release
	@$(TARGET)/release/frostline doctor

lint: toolchain
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps

clean: toolchain
	$(CARGO) clean

# Whether the machine has an adapter is asked of the binary itself, so it is built first.
release: toolchain
	@$(CARGO) build --release
	@scripts/adapter.sh $(TARGET)/release/frostline

# Built as the tests build it: their dependencies switch on features of shared crates, and a plain build would
# compile all of those a second time.
debug: toolchain
	@$(CARGO) test --no-run
	@scripts/adapter.sh $(TARGET)/debug/frostline

toolchain:
	@$(CARGO) --version >/dev/null 2>&1 || \
	  { echo "cargo is missing: install Rust 1.90 or newer (https://rustup.rs), then run make again" >&2; exit 1; }
