# The tests of common/store against real servers, one cmocka program per test_*.c. Whoever
# runs them starts the servers and sets TEST_PG_DSN (a superuser's, keyword=value form with
# host and port) and TEST_REDIS_URL; the programs change server settings, so the servers
# must be theirs alone.
STORE_TESTS := $(patsubst test/store/%.c,$(B)/test/store/%,$(wildcard test/store/test_*.c))

$(B)/test/store/%: $(B)/test/store/%.o $(B)/test/store/support.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(B)/test/store/support.o $(LIB) -lcmocka $(LDLIBS) -o $@

.PHONY: store-tests
store-tests: $(STORE_TESTS) ## build the store tests, which need servers
