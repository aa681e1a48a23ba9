# The tests. `make test` runs all; `make test LAYERS="unit api"` some. docs/testing.md says
# what each layer is and how a test is written.

# Servers' and other tests bring their lists: STORE_TESTS, BUS_TESTS, FUZZERS.
-include $(wildcard test/*/*.mk)

PYTHON ?= /usr/bin/python3
VENV   := .venv

.PHONY: test lint test-setup
test: test-setup ## run every test; the last line is "N passed, N failed"
	@$(VENV)/bin/python test/run.py $(LAYERS)

lint: test-setup ## check format, layers, sizes, scripts, and both compilers' warnings
	@$(VENV)/bin/python test/run.py lint

# Whatever goes wrong here, the last line still says that the tests failed.
test-setup:
	@deploy/local/setup build run postgres redis kafka test && \
	    test/setup-venv $(PYTHON) $(VENV) || { echo "0 passed, 1 failed"; exit 1; }

.PHONY: screenshot
screenshot: test-setup all ## take the pictures of the waiting room in docs/images anew
	@B=$(B) $(VENV)/bin/python test/e2e/screenshot.py

# What `make -s print-UNIT` answers is how test/run.py learns the programs.
print-%:
	@echo $($*)
