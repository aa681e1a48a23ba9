# Onrush: the one entrance. `make help` lists what there is.
#
#   VARIANT=release (default), debug, asan, cov    how it is compiled
#   CC=gcc (default), clang-14
#   WERROR=1                                       warnings are errors (make lint does)
#   B=build/<variant>                              where it is built

VARIANT ?= release
B       ?= build/$(VARIANT)
CC      = gcc

# Programs are the folders of services/ with a main.c; `onrush` is the operator's command.
PROGRAMS := $(patsubst services/%/main.c,%,$(wildcard services/*/main.c))
BINARIES := $(foreach p,$(PROGRAMS),$(B)/bin/$(if $(filter onrush,$p),onrush,onrush-$p))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wundef -Wformat=2 -Wvla -Wcast-qual \
	-Wpointer-arith -Wwrite-strings -Wnull-dereference -Wimplicit-fallthrough
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fPIE
CFLAGS_release := -O2 -D_FORTIFY_SOURCE=2
CFLAGS_debug   := -O0
CFLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_cov     := -O0 --coverage
LDFLAGS_asan   := -fsanitize=address,undefined
LDFLAGS_cov    := --coverage

VERSION  := $(shell cat VERSION 2>/dev/null || echo 0.0.0)
CPPFLAGS += -D_GNU_SOURCE -DONRUSH_VERSION='"$(VERSION)"' -Icommon -Iservices
CFLAGS   += -std=c17 -g -fno-omit-frame-pointer $(HARDEN) $(WARNINGS) \
	$(CFLAGS_$(VARIANT)) $(if $(WERROR),-Werror)
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS_$(VARIANT))
LDLIBS   += -levent_core -lpq -lhiredis -lnghttp2 -lrdkafka -lcjson -lssl -lcrypto -lz \
	-lresolv -lm -lpthread
# libpq's header lives in its own folder; -isystem keeps its warnings out of ours.
CPPFLAGS += -isystem /usr/include/postgresql

COMMON_OBJ  := $(patsubst %.c,$(B)/%.o,$(wildcard common/*/*.c))
SERVICE_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c,$(wildcard services/*/*.c services/*/*/*.c)))
LIB         := $(B)/libonrush.a

.PHONY: all clean help
all: $(BINARIES) ## build every program into build/<variant>/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' \
	    $(MAKEFILE_LIST)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# What the assembler puts into it, the compiler does not see.
$(B)/services/gateway/passes/pages.o: $(wildcard services/gateway/passes/pages/*)
$(B)/services/gateway/routes/routing.o: deploy/gateway/routes.json

$(LIB): $(COMMON_OBJ) $(SERVICE_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/bin/onrush: $(B)/services/onrush/main.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

$(B)/bin/onrush-%: $(B)/services/%/main.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

# Unit tests: one cmocka program per file of test/unit.
UNIT := $(patsubst test/unit/%.c,$(B)/test/unit/%,$(wildcard test/unit/test_*.c))
$(B)/test/unit/%: $(B)/test/unit/%.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) -lcmocka $(LDLIBS) -o $@

.PHONY: unit
unit: $(UNIT) ## build and run the unit tests
	@fail=0; for t in $(UNIT); do $$t || fail=1; done; exit $$fail

clean: ## remove what was built
	rm -rf build

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
-include deploy/local/local.mk test/test.mk k6/k6.mk
