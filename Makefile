# Ferry's front door. Everything is in `make help`; `make` alone builds.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: help build openapi demo test test-api test-faults test-kernel test-sanitizers fuzz bench lint format setup clean

# Where a toolchain often is when it is not on PATH.
export PATH := $(PATH):/opt/swift/usr/bin:/usr/local/swift/usr/bin:$(HOME)/.local/share/swiftly/bin

swift_sources := Sources Tests Package.swift Benchmarks/Sources Benchmarks/Package.swift

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
	  printf 'make %-16s %s\n' "$$name" "$$text"; done
	@echo 'NO_INSTALL=1     install nothing: only say what is missing'

build: setup ## Build everything (debug)
	swift build

openapi: setup ## Write openapi/ferry.json, which ferryd is built with, from openapi/ferry.yaml
	FERRY_WRITE_CONTRACT=1 swift test --disable-xctest --filter ContractTextTests.committed

demo: setup ## Watch a live migration between simulated devices (KEEP=1 leaves ferryd running)
	deploy/demo

test: lint ## Every suite but the long ones: some minutes (TEST_SECONDS=900 ends what hangs)
	Tests/run.sh

test-api: setup ## The API from outside: its contract, fuzzed and hostile (API_ONLY="http …", API_BUDGET=seconds)
	swift build --product ferryd
	Tests/API/run.sh

test-kernel: setup ## The same daemon on a real kernel's driver, in a virtual machine
	swift build
	Tests/KernelBench/bench.sh

test-faults: setup ## The daemon killed and starved at every step (FAULTS_BUDGET=N: a sample, in about N seconds)
	swift build
	Tests/Faults/run.sh

test-sanitizers: setup ## Every test again, under the thread and the address sanitizer
	Tests/Sanitizers/run.sh thread
	Tests/Sanitizers/run.sh address

fuzz: setup ## Text nobody wrote, for what reads the text of strangers (FUZZ_SECONDS=60 each)
	Tests/Fuzz/run.sh

bench: setup ## Speed against its bars (BENCH=name,… for some, BENCH_QUICK=1 for 3 minutes)
	Benchmarks/run

lint: setup ## Check the format; the rest of the house rules are tests
	swift format lint --strict --recursive $(swift_sources)

format: setup ## Format all Swift code in place
	swift format --in-place --recursive $(swift_sources)

setup: ## Install the Debian packages that are missing
	@deploy/setup

clean: ## Remove what was built
	rm -rf .build Benchmarks/.build .build-thread .build-address .build-fuzz
