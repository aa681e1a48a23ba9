# Programs that tests need beside the real ones: test/tools/<name>.c becomes
# $(B)/test/tools/<name>.

TOOLS := $(patsubst test/tools/%.c,$(B)/test/tools/%,$(wildcard test/tools/*.c))

.PHONY: tools
tools: $(TOOLS) ## build the programs that only tests use

$(B)/test/tools/%: $(B)/test/tools/%.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@
