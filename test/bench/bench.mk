# The load generator and the bare chain, and `make bench`.

BENCH_CPPFLAGS := -Itest/bench
BENCH_LOAD := $(patsubst %.c,$(B)/%.o,$(addprefix test/bench/,loadgen.c load.c load_tally.c))

$(B)/test/bench/%.o: CPPFLAGS += $(BENCH_CPPFLAGS)

$(B)/bin/onrush-bench: $(BENCH_LOAD) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(BENCH_LOAD) $(LIB) $(LDLIBS) -o $@
