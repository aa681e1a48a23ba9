# The load generator and the bare chain.

BENCH_CPPFLAGS := -Itest/bench
BENCH_LOAD  := $(patsubst %,$(B)/test/bench/%.o,loadgen load load_ask load_tally)
BENCH_CHAIN := $(patsubst %,$(B)/test/bench/%.o,chain load_tally)

$(B)/test/bench/%.o: CPPFLAGS += $(BENCH_CPPFLAGS)

$(B)/bin/onrush-bench: $(BENCH_LOAD) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(BENCH_LOAD) $(LIB) $(LDLIBS) -o $@

$(B)/bin/onrush-bench-chain: $(BENCH_CHAIN) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(BENCH_CHAIN) $(LIB) $(LDLIBS) -o $@

$(B)/bin/onrush-bench-backend: $(B)/test/bench/gateway/backend.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

.PHONY: bench
bench: ## measure this machine (BENCH_ROWS=coupons,orders: only these)
	@deploy/local/setup $(STACK_PARTS)
	@$(MAKE) --no-print-directory all $(B)/bin/onrush-bench $(B)/bin/onrush-bench-chain
	@B=$(B) test/bench/bench.py

.PHONY: queue-growth
queue-growth: ## what a waiting line of up to 10 million costs
	@deploy/local/setup $(STACK_PARTS)
	@$(MAKE) --no-print-directory all $(B)/bin/onrush-bench
	@B=$(B) test/bench/queue_growth.py

.PHONY: bench-gateway
bench-gateway: ## measure the gateway beside nginx and HAProxy (BENCH_CONNECTIONS=50: only these)
	@deploy/local/setup build run rivals
	@$(MAKE) --no-print-directory all $(B)/bin/onrush-bench $(B)/bin/onrush-bench-backend
	@B=$(B) test/bench/gateway/compare.py
