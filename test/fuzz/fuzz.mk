# Fuzzing: one libFuzzer program per file test/fuzz/fuzz_*.c, with its seeds in
# test/fuzz/corpus/<target>/ and maybe a dictionary <target>.dict. What it learns stays in
# build/fuzz; an input that shows a bug is left there too.

FUZZ_SECONDS ?= 20
FUZZ         := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/fuzz_*.c))

CFLAGS_fuzz  := -O1 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined

.PHONY: fuzz fuzz-run fuzz-keep
fuzz: ## fuzz every target for FUZZ_SECONDS; fails on a finding
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang-14 B=build/fuzz fuzz-run

$(B)/test/fuzz/fuzz_%: $(B)/test/fuzz/fuzz_%.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

fuzz-run: $(FUZZ:%=$(B)/test/fuzz/%)
	@for t in $(FUZZ); do \
		mkdir -p $(B)/corpus/$$t; \
		echo "fuzz: $$t for $(FUZZ_SECONDS) s"; \
		$(B)/test/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=5 \
		    -max_len=20000 -verbosity=0 -artifact_prefix=$(B)/$$t- \
		    $$(ls test/fuzz/$$t.dict 2>/dev/null | sed s/^/-dict=/) \
		    $(B)/corpus/$$t test/fuzz/corpus/$$t || exit 1; \
	done

# The fewest of the inputs found that cover what all of them do.
fuzz-keep: ## add what fuzzing has found to test/fuzz/corpus (after make fuzz)
	@for t in $(FUZZ); do \
		build/fuzz/test/fuzz/$$t -set_cover_merge=1 -use_counters=0 -max_len=20000 \
		    -verbosity=0 test/fuzz/corpus/$$t build/fuzz/corpus/$$t || exit 1; \
	done
