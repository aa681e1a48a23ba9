# The tests of common/bus, one cmocka program per test_*.c. Whoever runs them starts a
# broker and sets TEST_KAFKA_BROKERS; they make topics and groups of their own, so that it
# may serve others, too. What a broker cannot be asked to do (vanish, refuse) librdkafka's
# mock cluster does inside the test program.
BUS_TESTS := $(patsubst test/bus/%.c,$(B)/test/bus/%,$(wildcard test/bus/test_*.c))

$(B)/test/bus/%: $(B)/test/bus/%.o $(B)/test/bus/support.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(B)/test/bus/support.o $(LIB) -lcmocka $(LDLIBS) -o $@

.PHONY: bus-tests
bus-tests: $(BUS_TESTS) ## build the bus tests, which need a broker
