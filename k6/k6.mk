# The load scripts. The other two are run by hand: .cache/bin/k6 run k6/coupon_ramp.js

# Of the seat sale: k6/sale.py runs them.
SALE := queue-tokens queue-status concerts concert-dates concert-seats reserve-seat \
	seat-payment

.PHONY: peak order-mix points-charge sale-scripts $(SALE) k6
k6: ## build the pinned k6 into .cache/bin
	@k6/build.sh

peak: k6 run ## ten thousand people at one coupon, then the proof (SCALE=0.1: shorter)
	@B=$(B) k6/peak.py

order-mix: k6 run ## people who charge and order, then the proof (SCALE=0.1: shorter)
	@B=$(B) k6/orders.py order_mix

points-charge: k6 run ## a thousand people who charge, then the proof (SCALE=0.1: shorter)
	@B=$(B) k6/orders.py points_charge

sale-scripts: $(SALE) ## the line and the seats under load, one script after the other

$(SALE): k6 run
	@B=$(B) k6/sale.py $(subst -,_,$@)
