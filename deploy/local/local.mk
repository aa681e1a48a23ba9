# The local stack: everything of Onrush on this machine, under .run/.
#
#   ONRUSH_PG_DSN, ONRUSH_REDIS_URL, ONRUSH_KAFKA_BROKERS   servers to use instead of own ones
#   ONRUSH_PORT_GATEWAY=9000 and their like                 other ports
#   any other ONRUSH_… variable                             becomes a setting of all programs

STACK := deploy/local/stack

# An engine that exists elsewhere need not be installed here.
STACK_PARTS := build run $(if $(ONRUSH_PG_DSN),,postgres) $(if $(ONRUSH_REDIS_URL),,redis) \
	$(if $(ONRUSH_KAFKA_BROKERS),,kafka)

.PHONY: run stop status logs verify
run: ## build and start everything on this machine, with demo data
	@deploy/local/setup $(STACK_PARTS)
	@$(MAKE) -q --no-print-directory all 2>/dev/null || echo "Building."
	@$(MAKE) -s --no-print-directory -j$$(nproc) all
	@$(STACK) run --bin $(B)/bin

stop: ## stop what `make run` started
	@$(STACK) stop --bin $(B)/bin

status: ## say what runs, and what state it is in
	@$(STACK) status --bin $(B)/bin

logs: ## follow the logs of P=<program>, or of all
	@$(STACK) logs $(P)

verify: ## check a whole campaign of the running stack: C=<coupon id>
	@$(B)/bin/onrush --config .run/onrush.env verify $(C)
