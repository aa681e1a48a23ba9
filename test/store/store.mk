# The tests of common/store against real servers, one cmocka program per test_*.c, with what
# they share in the other files. Whoever runs them starts the servers and sets TEST_PG_DSN (a
# superuser's, keyword=value form with host and port) and TEST_REDIS_URL; the programs change
# server settings and crash servers, so these must be theirs alone.
STORE_TESTS := $(patsubst test/store/%.c,$(B)/test/store/%,$(wildcard test/store/test_*.c))

$(B)/test/store/test_pgsync $(B)/test/store/test_pgsync_lost: $(B)/test/store/pgsync_fixture.o
$(B)/test/store/test_pgpool $(B)/test/store/test_pgpool_lost: $(B)/test/store/pgpool_fixture.o
$(B)/test/store/test_redis $(B)/test/store/test_redis_lost: $(B)/test/store/redis_fixture.o

$(B)/test/store/%: $(B)/test/store/%.o $(B)/test/store/support.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(LIB) -lcmocka $(LDLIBS) -o $@

.PHONY: store-tests
store-tests: $(STORE_TESTS) ## build the store tests, which need servers
